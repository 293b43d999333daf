#include "shared/telemetry/log.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "shared/telemetry/text.hpp"

namespace relayd::telemetry {

namespace {

// A pipe that poll() calls writable takes this much without blocking (PIPE_BUF).
constexpr std::size_t slice = 4096;

// What may wait for a reader: a message of 10,000 recipients has a line for each in one go. Less for one that
// takes nothing, and when that one is tried again.
constexpr std::size_t most_pending = 16 << 20;
constexpr std::size_t most_stuck = 1 << 20;
constexpr auto pause = std::chrono::milliseconds(100);

// Lines of so long leave together: a write for each would delay the replies behind it.
constexpr auto gathering = std::chrono::milliseconds(5);

std::string_view name(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warning:
      return "warning";
    case Level::error:
      return "error";
  }
  return {};
}

// Of syslog(3).
char priority(Level level) {
  switch (level) {
    case Level::debug:
      return '7';
    case Level::info:
      return '6';
    case Level::warning:
      return '4';
    case Level::error:
      return '3';
  }
  return '6';
}

bool is_address(std::string_view key) {
  constexpr std::string_view keys[] = {"from", "to", "sent_from", "sent_to", "instead_of", "about"};
  return std::ranges::find(keys, key) != std::end(keys);
}

bool plain_word(std::string_view text) {
  for (const char c : text)
    if (c <= ' ' || c >= '\x7f' || c == '"' || c == '\\' || c == '=') return false;
  return true;
}

}  // namespace

Log::Log(int descriptor, Format format, Level level, Addresses addresses)
    : descriptor_(descriptor), format_(format), level_(level), addresses_(addresses) {}

void Log::write(Level level, std::string_view event, std::initializer_list<Field> fields) {
  if (level < level_) return;
  const std::size_t before = pending_.size();
  if (priorities_) (pending_ += '<').append(1, priority(level)) += '>';
  format_ == Format::json ? append_json(level, event, fields) : append_text(level, event, fields);
  if (pending_.size() > (stuck_ ? most_stuck : most_pending)) {
    pending_.resize(before);
    ++dropped_;
  }
  if (arrange_)
    arrange(gathering);
  else
    flush();
}

void Log::arrange(Duration after) {
  if (arrange_ && !std::exchange(arranged_, true)) arrange_(after);
}

std::string Log::as_configured(std::string_view key, std::string_view text) const {
  if (addresses_ == Addresses::full) return std::string(text);
  if (is_address(key)) return masked(text);
  if (key == "response" || key == "reason") return masked_within(text);
  return std::string(text);
}

void Log::append_text(Level level, std::string_view event, std::initializer_list<Field> fields) {
  append_time(pending_, wall_now());
  fmt::format_to(std::back_inserter(pending_), " {} {}", name(level), event);
  for (const Field& field : fields) {
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
      if (text->empty()) continue;
      const std::string shown = as_configured(field.key, *text);
      fmt::format_to(std::back_inserter(pending_), " {}=", field.key);
      if (plain_word(shown)) {
        pending_ += shown;
        continue;
      }
      pending_ += '"';
      append_escaped(pending_, shown);
      pending_ += '"';
    } else if (const auto* number = std::get_if<std::int64_t>(&field.value)) {
      fmt::format_to(std::back_inserter(pending_), " {}={}", field.key, *number);
    } else {
      fmt::format_to(std::back_inserter(pending_), " {}={:.3f}", field.key, std::get<double>(field.value));
    }
  }
  pending_ += '\n';
}

void Log::append_json(Level level, std::string_view event, std::initializer_list<Field> fields) {
  pending_ += R"({"time":")";
  append_time(pending_, wall_now());
  fmt::format_to(std::back_inserter(pending_), R"(","level":"{}","event":"{}")", name(level), event);
  for (const Field& field : fields) {
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
      if (text->empty()) continue;
      fmt::format_to(std::back_inserter(pending_), R"(,"{}":")", field.key);
      append_escaped(pending_, as_configured(field.key, *text));
      pending_ += '"';
    } else if (const auto* number = std::get_if<std::int64_t>(&field.value)) {
      fmt::format_to(std::back_inserter(pending_), R"(,"{}":{})", field.key, *number);
    } else {
      fmt::format_to(std::back_inserter(pending_), R"(,"{}":{:.3f})", field.key,
                     std::get<double>(field.value));
    }
  }
  pending_ += "}\n";
}

void Log::flush(std::chrono::milliseconds patience) {
  arranged_ = false;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    pollfd ready{descriptor_, POLLOUT, 0};
    if (::poll(&ready, 1, static_cast<int>(patience.count())) <= 0) break;
    const ssize_t written = ::write(descriptor_, rest.data(), std::min(rest.size(), slice));
    if (written < 0 && errno == EAGAIN) break;
    if (written < 0 && errno != EINTR) {
      dropped_ += static_cast<std::uint64_t>(std::count(rest.begin(), rest.end(), '\n'));
      rest = {};
    }
    if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
  }
  stuck_ = !rest.empty() && rest.size() == pending_.size();
  pending_.erase(0, pending_.size() - rest.size());
  if (pending_.empty() && pending_.capacity() > most_stuck) pending_.shrink_to_fit();
  if (!pending_.empty()) arrange(stuck_ ? pause : Duration(gathering));  // a line of it may be half written
}

}  // namespace relayd::telemetry
