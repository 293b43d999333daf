#include "support/transcript.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace relayd::test {

Transcript read_transcript(const std::filesystem::path& file, Side peer) {
  Transcript transcript;
  transcript.name = file.stem();
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line.front() == '#' || add_step(transcript.script, peer, line)) continue;
    if (!line.starts_with("set ")) {
      transcript.notes.push_back(line);
      continue;
    }
    const std::size_t end = line.find(' ', 4);
    if (end == std::string::npos) throw std::invalid_argument(file.string() + ": " + line);
    transcript.settings.emplace_back(line.substr(4, end - 4), line.substr(end + 1));
  }
  if (transcript.script.empty()) throw std::invalid_argument(file.string() + " has no dialogue");
  return transcript;
}

std::vector<Transcript> read_transcripts(const std::string& folder, Side peer) {
  std::vector<Transcript> transcripts;
  for (const auto& file : std::filesystem::directory_iterator(PROJECT_DIR "/test/dialogs/" + folder))
    if (file.path().extension() == ".txt") transcripts.push_back(read_transcript(file.path(), peer));
  std::sort(transcripts.begin(), transcripts.end(),
            [](const Transcript& a, const Transcript& b) { return a.name < b.name; });
  return transcripts;
}

Addresses parse_addresses(std::string_view text) {
  std::istringstream words{std::string(text)};
  Addresses addresses;
  std::string arrow;
  words >> addresses.sender >> arrow;
  if (arrow != "->") throw std::invalid_argument("no addresses: " + std::string(text));
  if (addresses.sender == "<>") addresses.sender.clear();
  for (std::string recipient; words >> recipient;) addresses.recipients.push_back(recipient);
  return addresses;
}

}  // namespace relayd::test
