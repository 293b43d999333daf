#include "relay/history_reader.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <system_error>

#include "relay/history_files.hpp"
#include "shared/base/ascii.hpp"
#include "shared/config/value.hpp"
#include "shared/disk/posix_disk.hpp"
#include "shared/telemetry/text.hpp"
#include "tell/history.hpp"
#include "watch/answer.hpp"

namespace relayd {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

// ".25" at the beginning of a text, taken away.
std::chrono::microseconds take_fraction(const char*& text) {
  std::int64_t fraction = 0, unit = 1'000'000;
  if (*text != '.') return {};
  for (++text; ascii::is_digit(*text); ++text)
    if ((unit /= 10) > 0) fraction += (*text - '0') * unit;
  return std::chrono::microseconds(fraction);
}

// "2026-11-20", "2026-11-20T09:30", "2026-11-20T09:30:00Z", "…+01:00" (RFC 3339). Without a zone it is UTC,
// as all that is shown.
std::optional<WallTime> parse_moment(const char* text) {
  std::tm time{};
  text = ::strptime(text, "%Y-%m-%d", &time);
  if (text && (*text == 'T' || *text == ' ')) {
    const char* const clock = text + 1;
    text = ::strptime(clock, "%H:%M:%S", &time);
    if (!text) text = ::strptime(clock, "%H:%M", &time);
  }
  if (!text) return std::nullopt;
  const std::chrono::microseconds fraction = take_fraction(text);
  if (*text == '\0') return WallTime(std::chrono::seconds(::timegm(&time))) + fraction;
  std::tm zone{};
  text = ::strptime(text, "%z", &zone);
  if (!text || *text != '\0') return std::nullopt;
  return WallTime(std::chrono::seconds(::timegm(&time) - zone.tm_gmtoff)) + fraction;
}

// Nothing: it is gone, or no regular file. Throws std::system_error for what cannot be read.
std::optional<std::string> read_file(const fs::path& path) {
  const auto fail = [&path] { throw std::system_error(errno, std::generic_category(), path.string()); };
  // Nobody writes to a FIFO that lies here.
  const disk::Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (file.number() < 0) {
    if (errno == ENOENT || errno == ENXIO) return std::nullopt;  // ENXIO: a socket
    fail();
  }
  if (::fstat(file.number(), &status) != 0) fail();
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  std::string text(static_cast<std::size_t>(status.st_size), '\0');  // what is appended later is too late
  std::size_t got = 0;
  while (got < text.size()) {
    const ssize_t count = ::read(file.number(), text.data() + got, text.size() - got);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail();
    if (count == 0) break;
    got += static_cast<std::size_t>(count);
  }
  text.resize(got);
  return text;
}

void mask_line(json& line) {
  for (const auto& [key, value] : line.items()) {
    const bool is_address =
        std::ranges::find(tell::history_address_keys, key) != tell::history_address_keys.end();
    if (value.is_array() && is_address)
      for (json& one : value) one = telemetry::masked(one.get<std::string>());
    if (value.is_string() && is_address) value = telemetry::masked(value.get<std::string>());
    if (key == "response" || key == "reason" || key == "rule")
      value = telemetry::masked_within(value.is_string() ? value.get<std::string>() : "");
  }
}

}  // namespace

std::optional<std::string> parse_history_since(const std::string& text) {
  const Result<std::chrono::milliseconds> ago = config::parse_duration(text);
  const std::optional<WallTime> when = ago ? wall_now() - *ago : parse_moment(text.c_str());
  if (!when) return std::nullopt;
  std::string since;
  telemetry::append_time(since, *when);
  return since;
}

HistoryFolder history_folder_of(const std::string& queue_directory) {
  const fs::path path = fs::path(queue_directory) / history_folder;
  HistoryFolder folder;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(path, failure))
    folder.names.push_back(entry.path().filename());
  if (failure && failure != std::errc::no_such_file_or_directory)
    throw std::system_error(failure, path.string());
  folder.read = [path](const std::string& name) { return read_file(path / name); };
  return folder;
}

void mask(MessageHistory& message) {
  std::ranges::for_each(message.lines, mask_line);
  for (auto& [address, state] : message.states) address = telemetry::masked(address);
}

std::string state_of(const MessageHistory& message) {
  if (message.states.empty()) return message.lines.back().value("event", "");  // who they are is kept no more
  std::vector<std::pair<std::string, std::size_t>> counts;
  for (const auto& [address, state] : message.states) {
    const auto found = std::ranges::find(counts, state, &std::pair<std::string, std::size_t>::first);
    if (found == counts.end())
      counts.emplace_back(state, 1);
    else
      ++found->second;
  }
  if (counts.size() == 1) return counts.front().first;
  std::string result;
  for (const auto& [state, count] : counts)
    result += fmt::format("{}{} {}", result.empty() ? "" : ", ", count, state);
  return result;
}

std::string to_json(const MessageHistory& message) {
  json object = {{"id", message.id}, {"state", state_of(message)}};
  for (const auto& [address, state] : message.states)
    object["recipients"].push_back({{"to", address}, {"state", state}});
  for (json line : message.lines) {
    for (const char* key : {"id", "keys", "to_keys"}) line.erase(key);
    object["events"].push_back(std::move(line));
  }
  std::string line = watch::line_of(object);
  line.pop_back();  // its end
  return line;
}

}  // namespace relayd
