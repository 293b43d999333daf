#include "shared/telemetry/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <iterator>

#include "shared/base/ascii.hpp"
#include "shared/mail/utf8.hpp"

namespace relayd::telemetry {

namespace {

bool is_plain(char c) {
  return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
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

}  // namespace

void append_time(std::string& out, WallTime when) {
  const auto now = when.time_since_epoch().count();
  const std::time_t seconds = now / 1'000'000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", utc.tm_year + 1900,
                 utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now % 1'000'000);
}

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

std::string masked(std::string_view address) {
  const auto at = address.rfind('@');
  if (at == std::string_view::npos || at == 0) return std::string(address);
  return fmt::format("{}***{}", address.substr(0, 1), address.substr(at));
}

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

}  // namespace relayd::telemetry
