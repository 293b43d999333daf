#include "shared/telemetry/log.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <iterator>
#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/mail/utf8.hpp"

namespace relayd::telemetry {

namespace {

// A pipe that poll() calls writable takes this much without blocking (PIPE_BUF).
constexpr std::size_t slice = 4096;

// What may wait for a reader that does not keep up, and when it is tried again.
constexpr std::size_t most_pending = 1 << 20;
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

// "2026-11-20T06:24:01.123456Z"
void append_time(std::string& out) {
  const auto now = wall_now().time_since_epoch().count();
  const std::time_t seconds = now / 1'000'000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", utc.tm_year + 1900,
                 utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now % 1'000'000);
}

bool is_plain(char c) {
  return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

// Quotes, backslashes and all that could move a terminal, break a line or turn its direction are escaped.
void append_escaped(std::string& out, std::string_view text) {
  for (;;) {
    const auto* const special = std::find_if_not(text.begin(), text.end(), is_plain);
    out.append(text.begin(), special);
    text.remove_prefix(static_cast<std::size_t>(special - text.begin()));
    if (text.empty()) return;
    const char c = text.front();
    const auto point = mail::first_code_point(text);
    const std::size_t octets = point ? point->octets : 1;
    if (!point || ascii::is_control(c))
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(c));
    else if (octets == 1)
      (out += '\\') += c;
    else if (mail::is_invisible_control(point->value))
      out += "\\ufffd";
    else
      out += text.substr(0, octets);
    text.remove_prefix(octets);
  }
}

// "ann@example.com" as "a***@example.com".
std::string masked(std::string_view address) {
  const auto at = address.rfind('@');
  if (at == std::string_view::npos || at == 0) return std::string(address);
  return fmt::format("{}***{}", address.substr(0, 1), address.substr(at));
}

bool in_local_part(char c) {
  return ascii::is_letter(c) || ascii::is_digit(c) || static_cast<unsigned char>(c) >= 0x80 ||
         std::string_view("!#$%&'*+-/=?^_`{|}~.").find(c) != std::string_view::npos;
}

// Where the local part begins that ends with `text`; at its end when there is none.
std::size_t local_part(std::string_view text) {
  std::size_t begin = text.size();
  if (text.ends_with('"')) {
    const std::size_t quote = text.substr(0, begin - 1).rfind('"');
    return quote == std::string_view::npos ? begin : quote;
  }
  while (begin > 0 && in_local_part(text[begin - 1])) --begin;
  return begin;
}

// The same for each address in a text.
std::string masked_within(std::string_view text) {
  std::string result;
  for (;;) {
    const std::size_t at = text.find('@');
    if (at == std::string_view::npos) return result.append(text);
    const std::size_t begin = local_part(text.substr(0, at));
    result.append(text, 0, begin);
    if (begin < at) result.append(text, begin, 1).append("***");
    result += '@';
    text.remove_prefix(at + 1);
  }
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
  format_ == Format::json ? append_json(level, event, fields) : append_text(level, event, fields);
  if (pending_.size() > most_pending) {
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
  append_time(pending_);
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
  append_time(pending_);
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
  pending_.erase(0, pending_.size() - rest.size());
  if (!pending_.empty()) arrange(pause);  // a line of it may be half written
}

}  // namespace relayd::telemetry
