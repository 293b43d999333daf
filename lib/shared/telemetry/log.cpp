#include "shared/telemetry/log.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <iterator>

namespace relayd::telemetry {

namespace {

// A pipe that poll() calls writable takes this much without blocking (PIPE_BUF).
constexpr std::size_t slice = 4096;

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

// "2026-11-20T06:24:01.123456Z"
void append_time(std::string& out) {
  const auto now = wall_now().time_since_epoch().count();
  const std::time_t seconds = now / 1'000'000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", utc.tm_year + 1900,
                 utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now % 1'000'000);
}

// The length of the well-formed UTF-8 sequence at the front (RFC 3629 4), 0 if there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(i < text.size() ? text[i] : 0); };
  const unsigned char first = byte(0);
  const std::size_t length = first < 0x80       ? 1
                             : first >> 5 == 6  ? 2
                             : first >> 4 == 14 ? 3
                             : first >> 3 == 30 ? 4
                                                : 0;
  if (length == 0 || first == 0xc0 || first == 0xc1 || first > 0xf4) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f) ||
      (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f))
    return 0;
  return length;
}

// Quotes, backslashes and all that could move a terminal or break a line are escaped, C1 controls and bidi
// marks too.
void append_escaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const auto c = static_cast<unsigned char>(text[0]);
    const bool hidden = text.starts_with("\xc2") ? static_cast<unsigned char>(text[length ? 1 : 0]) < 0xa0
                        : text.starts_with("\xe2\x80") && length == 3
                            ? static_cast<unsigned char>(text[2]) >= 0x8b
                            : false;
    if (length == 0) {
      fmt::format_to(std::back_inserter(out), "\\u00{:02x}", c);
      text.remove_prefix(1);
      continue;
    }
    if (c == '"' || c == '\\')
      (out += '\\') += static_cast<char>(c);
    else if (c < 0x20 || c == 0x7f)
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
    else if (hidden)
      out += "\\ufffd";
    else
      out += text.substr(0, length);
    text.remove_prefix(length);
  }
}

// "ann@example.com" as "a***@example.com".
std::string masked(std::string_view address) {
  const auto at = address.rfind('@');
  if (at == std::string_view::npos || at == 0) return std::string(address);
  return fmt::format("{}***{}", address.substr(0, 1), address.substr(at));
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
  const bool first = pending_.empty();
  format_ == Format::json ? append_json(level, event, fields) : append_text(level, event, fields);
  if (!arrange_)
    flush();
  else if (first)
    arrange_();
}

void Log::append_text(Level level, std::string_view event, std::initializer_list<Field> fields) {
  append_time(pending_);
  fmt::format_to(std::back_inserter(pending_), " {} {}", name(level), event);
  for (const Field& field : fields) {
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
      if (text->empty()) continue;
      const bool hide = addresses_ == Addresses::masked && (field.key == "from" || field.key == "to");
      const std::string shown = hide ? masked(*text) : std::string(*text);
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
  append_time(pending_);
  fmt::format_to(std::back_inserter(pending_), R"(","level":"{}","event":"{}")", name(level), event);
  for (const Field& field : fields) {
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
      if (text->empty()) continue;
      const bool hide = addresses_ == Addresses::masked && (field.key == "from" || field.key == "to");
      fmt::format_to(std::back_inserter(pending_), R"(,"{}":")", field.key);
      append_escaped(pending_, hide ? masked(*text) : std::string(*text));
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

void Log::flush() {
  std::string_view rest = pending_;
  while (!rest.empty()) {
    pollfd ready{descriptor_, POLLOUT, 0};
    if (::poll(&ready, 1, 0) <= 0) {
      for (const char c : rest) dropped_ += c == '\n' ? 1 : 0;
      break;
    }
    const ssize_t written = ::write(descriptor_, rest.data(), std::min(rest.size(), slice));
    if (written < 0 && errno != EINTR) {
      for (const char c : rest) dropped_ += c == '\n' ? 1 : 0;
      break;
    }
    if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
  }
  pending_.clear();
}

}  // namespace relayd::telemetry
