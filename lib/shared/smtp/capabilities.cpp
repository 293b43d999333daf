#include "shared/smtp/capabilities.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "shared/base/ascii.hpp"

namespace relayd::smtp {

namespace {

constexpr std::size_t max_mechanisms = 64;

// The text up to the separator, which then begins behind it.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return taken;
}

constexpr std::pair<std::string_view, bool Capabilities::*> flags[] = {
    {"PIPELINING", &Capabilities::pipelining},
    {"8BITMIME", &Capabilities::eight_bit_mime},
    {"SMTPUTF8", &Capabilities::smtp_utf8},
    {"DSN", &Capabilities::dsn},
    {"STARTTLS", &Capabilities::starttls},
    {"CHUNKING", &Capabilities::chunking},
    {"ENHANCEDSTATUSCODES", &Capabilities::enhanced_status},
    {"REQUIRETLS", &Capabilities::require_tls},
};

void read_size(std::string_view parameter, Capabilities& capabilities) {
  capabilities.size = true;
  std::uint64_t limit = 0;
  const char* const end = parameter.data() + parameter.size();
  const auto [stop, fault] = std::from_chars(parameter.data(), end, limit);
  if (fault == std::errc() && stop == end) capabilities.size_limit = limit;
}

void read_mechanisms(std::string_view parameters, Capabilities& capabilities) {
  while (!parameters.empty() && capabilities.auth.size() < max_mechanisms) {
    std::string mechanism = ascii::upper(take_until(parameters, ' '));
    const bool known =
        std::find(capabilities.auth.begin(), capabilities.auth.end(), mechanism) != capabilities.auth.end();
    if (!mechanism.empty() && !known) capabilities.auth.push_back(std::move(mechanism));
  }
}

void read_line(std::string_view line, Capabilities& capabilities) {
  const std::string keyword = ascii::upper(line.substr(0, line.find_first_of(" =")));
  line.remove_prefix(std::min(line.size(), keyword.size() + 1));
  // "AUTH=LOGIN" is the form before RFC 2554; servers still send it beside the proper one.
  if (keyword == "AUTH") return read_mechanisms(line, capabilities);
  if (keyword == "SIZE") return read_size(take_until(line, ' '), capabilities);
  for (const auto& [name, flag] : flags) {
    if (keyword == name) capabilities.*flag = true;
  }
}

}  // namespace

Capabilities parse_capabilities(const Reply& ehlo) {
  Capabilities capabilities;
  std::string_view lines = ehlo.text;
  take_until(lines, '\n');  // the server's name and greeting
  while (!lines.empty()) read_line(take_until(lines, '\n'), capabilities);
  return capabilities;
}

std::vector<std::string> to_lines(const Capabilities& capabilities) {
  std::vector<std::string> lines;
  if (capabilities.size) lines.push_back(fmt::format("SIZE {}", capabilities.size_limit));
  for (const auto& [name, flag] : flags)
    if (capabilities.*flag) lines.emplace_back(name);
  if (!capabilities.auth.empty()) lines.push_back(fmt::format("AUTH {}", fmt::join(capabilities.auth, " ")));
  return lines;
}

}  // namespace relayd::smtp
