// Writes reports to a folder, for programs of others to read: report_samples FOLDER COUNT SEED. A name says
// how many recipients a report tells of, and whether it may hold UTF-8: "17-3-ascii.eml", "18-1-utf8.eml".
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "tell/random_report.hpp"

int main(int count, char** words) {
  if (count != 4) return EXIT_FAILURE;
  const std::string folder = words[1];
  relayd::tell::RandomReport random_report(static_cast<unsigned>(std::atoi(words[3])));
  for (int i = 0; i < std::atoi(words[2]); ++i) {
    const auto made = random_report.next();
    const bool utf8 = made.report.envelope.smtp_utf8;
    std::ofstream file(fmt::format("{}/{}-{}-{}.eml", folder, i, made.recipients, utf8 ? "utf8" : "ascii"),
                       std::ios::binary);
    file << made.report.content;
    if (!file.flush()) return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
