#include "relay/instance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "shared/base/ascii.hpp"
#include "shared/disk/whole_file.hpp"

namespace relayd {

namespace {

constexpr const char* name = "instance";
constexpr std::size_t length = 16;

std::string read_mark(disk::Disk& disk) {
  std::string mark(length, '\0');
  try {
    const std::unique_ptr<disk::File> file = disk.open(name);
    mark.resize(file->read_at(0, mark.data(), mark.size()));
  } catch (const disk::DiskError&) {
    return {};  // the first start
  }
  const auto fits = [](char c) { return ascii::is_digit(c) || (c >= 'a' && c <= 'f'); };
  return mark.size() == length && std::all_of(mark.begin(), mark.end(), fits) ? mark : std::string();
}

}  // namespace

std::string instance_mark(disk::Disk& disk) {
  std::string mark = read_mark(disk);
  if (!mark.empty()) return mark;
  std::random_device random;
  mark = fmt::format("{:08x}{:08x}", random(), random());
  try {
    disk::write_whole(disk, name, mark + "\n");
  } catch (const disk::DiskError&) {
    // Then a loop is seen within one life of the process only, and after a hundred hops at the latest.
  }
  return mark;
}

}  // namespace relayd
