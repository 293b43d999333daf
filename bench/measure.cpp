#include "measure.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "shared/disk/posix_disk.hpp"

namespace relayd::bench {
namespace {

Duration from(timeval time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

}  // namespace

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

double since(SteadyTime begun) {
  return seconds(std::chrono::steady_clock::now() - begun);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.at(values.size() / 2);
}

Duration percentile(std::vector<Duration> samples, double share) {
  if (samples.empty()) return {};
  const auto rank = static_cast<std::size_t>(share * static_cast<double>(samples.size() - 1));
  std::nth_element(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(rank), samples.end());
  return samples[rank];
}

Bytes resident() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t total = 0, pages = 0;
  file >> total >> pages;
  return {pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))};
}

Duration cpu_time() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return from(usage.ru_utime) + from(usage.ru_stime);
}

double load() {
  double average = 0;
  ::getloadavg(&average, 1);
  return average;
}

std::string machine() {
  utsname system{};
  ::uname(&system);
  return fmt::format("{}, {} cores, {} {}, load {:.1f}", processor(), std::thread::hardware_concurrency(),
                     system.sysname, system.release, load());
}

Bytes disk_used(const std::string& directory) {
  constexpr std::uint64_t unit = 512;  // of st_blocks, whatever the file system's is
  std::uint64_t blocks = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    struct stat status {};
    if (::stat(entry.path().c_str(), &status) == 0) blocks += static_cast<std::uint64_t>(status.st_blocks);
  }
  return {blocks * unit};
}

void forget_cached(const std::string& directory) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    const disk::Descriptor file(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
    ::fsync(file.number());
    ::posix_fadvise(file.number(), 0, 0, POSIX_FADV_DONTNEED);
  }
}

}  // namespace relayd::bench
