#include "queue/ground.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <iterator>
#include <string_view>
#include <utility>

namespace relayd::queue {
namespace {

constexpr std::size_t number_digits = 16;
constexpr std::uint64_t zeroes_at_once = 1 << 20;  // then synced: what others sync meanwhile waits for little
// What a file system may need besides for what is claimed: a block of a directory, of extents.
constexpr std::uint64_t block = 4096;
constexpr std::uint64_t overhead = 8 * block;
constexpr std::uint64_t made_in_haste =
    1 << 20;  // a file for messages, while somebody waits for it or room is little

std::string_view suffix(Ground::Log log) {
  return log == Ground::Log::messages ? ".journal" : ".state";
}

void write_zeroes(disk::File& file, std::uint64_t at, std::uint64_t size) {
  static constexpr std::array<char, 16 << 10> zeroes{};  // the same again and again: it takes no memory
  std::vector<std::string_view> pieces;
  for (std::uint64_t done = 0; done < size; done += pieces.back().size())
    pieces.emplace_back(zeroes.data(), std::min<std::uint64_t>(zeroes.size(), size - done));
  file.write_at(at, pieces);
}

}  // namespace

Ground::Ground(disk::Disk& disk, Bytes reserve, Bytes largest)
    : disk_(disk), reserve_(reserve), largest_(largest.count) {}

const char* Ground::directory(Log log) {
  return log == Log::messages ? "journal" : "state";
}

std::optional<std::uint64_t> Ground::site_number(Log log, std::string_view name) {
  const std::string_view end = suffix(log);
  if (name.size() != number_digits + end.size() || !name.ends_with(end)) return std::nullopt;
  const char* const stop = name.data() + number_digits;
  std::uint64_t number = 0;
  const auto [at, error] = std::from_chars(name.data(), stop, number);
  if (error != std::errc() || at != stop || number == 0) return std::nullopt;
  return number;
}

void Ground::adopt(Log log, Site site) {
  give_back(log, std::move(site));
}

void Ground::seen(Log log, std::uint64_t number) {
  std::lock_guard lock(mutex_);
  of(log).last = std::max(of(log).last, number);
}

void Ground::make(Log log, std::uint64_t size) {
  Site site = make_site(log, size);
  give_back(log, std::move(site));
}

Site Ground::make_site(Log log, std::uint64_t size) {
  std::uint64_t number = 0;
  {
    std::lock_guard lock(mutex_);
    number = ++of(log).last;
  }
  const Claim claim(*this, size);
  Site site;
  site.path = fmt::format("{}/{:0{}}{}", directory(log), number, number_digits, suffix(log));
  try {
    site.file = disk_.create(site.path);
    for (std::uint64_t at = 0; at < size; at += zeroes_at_once) {
      write_zeroes(*site.file, at, std::min(zeroes_at_once, size - at));
      site.file->sync_data();
    }
    site.file->drop_preallocation();
    disk_.sync_directory(directory(log));
  } catch (const disk::DiskError&) {
    if (site.file) discard(site);
    throw;
  }
  site.capacity = size;
  return site;
}

Site Ground::take(Log log, std::uint64_t least, std::size_t left) {
  {
    std::lock_guard lock(mutex_);
    std::vector<Site>& sites = of(log).free;
    const auto found = std::find_if(sites.begin(), sites.end(),
                                    [least](const Site& site) { return site.capacity >= least; });
    if (sites.size() > left && found != sites.end()) {
      Site taken = std::move(*found);
      sites.erase(found);
      return taken;
    }
  }
  const std::uint64_t size = log == Log::messages ? made_in_haste : smallest_state_file;
  return make_site(log, std::max(least, std::min(size, largest_)));
}

void Ground::give_back(Log log, Site site) {
  std::lock_guard lock(mutex_);
  of(log).free.push_back(std::move(site));
}

void Ground::give_back(Log log, const Segment& segment) {
  give_back(log, Site{segment.path, segment.file, segment.capacity});
}

std::shared_ptr<const Segment> Ground::begin_segment(Log log, const SegmentHeader& header,
                                                     std::uint64_t least, std::size_t left) {
  Site site = take(log, least, left);
  auto segment = std::make_shared<Segment>();
  segment->header = header;
  segment->path = site.path;
  segment->file = site.file;
  segment->capacity = site.capacity;
  try {
    segment->file->write_at(0, encode_header(header));
    segment->file->sync_data();
  } catch (const disk::DiskError&) {
    give_back(log, std::move(site));
    throw;
  }
  return segment;
}

void Ground::discard(const Site& site) {
  try {
    disk_.discard(site.path);
  } catch (const disk::DiskError&) {
    // The next start finds it: free, or void.
  }
}

void Ground::trim(Log log, std::size_t count) {
  while (free_count(log) > count) remove_first(log, ~std::uint64_t{0}, ~std::uint64_t{0});
}

void Ground::trim_octets(Log log, std::uint64_t octets, std::uint64_t most) {
  while (const std::uint64_t removed = remove_first(log, octets, most)) octets -= removed;
}

std::uint64_t Ground::remove_first(Log log, std::uint64_t octets, std::uint64_t most) {
  Site site;
  {
    std::lock_guard lock(mutex_);
    std::vector<Site>& free = of(log).free;
    if (free.empty() || std::min(free.front().capacity, most) > octets) return 0;
    site = std::move(free.front());
    free.erase(free.begin());
  }
  discard(site);
  return std::min(site.capacity, most);
}

std::size_t Ground::free_count(Log log) const {
  std::lock_guard lock(mutex_);
  return of(log).free.size();
}

std::uint64_t Ground::free_capacity(Log log, std::uint64_t most) const {
  std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const Site& site : of(log).free) sum += std::min(site.capacity, most);
  return sum;
}

std::uint64_t Ground::fitting(std::uint64_t wanted) const {
  constexpr std::uint64_t part = 16;  // of the room
  const std::uint64_t free = disk_.free_space().count;
  const std::uint64_t room = free - std::min(free, reserve_.count);
  return std::min({wanted, std::max(room / part, made_in_haste), largest_});
}

Ground::Claim::Claim(Ground& ground, std::uint64_t size)
    : ground_(ground), size_((size + block - 1) / block * block + overhead) {
  std::lock_guard lock(ground_.mutex_);
  const std::uint64_t free = ground_.disk_.free_space().count;
  if (free < ground_.reserve_.count + ground_.claimed_ + size_)
    throw disk::DiskError(ENOSPC, std::generic_category(), "free space is at the reserve");
  ground_.claimed_ += size_;
}

Ground::Claim::~Claim() {
  std::lock_guard lock(ground_.mutex_);
  ground_.claimed_ -= size_;
}

}  // namespace relayd::queue
