#include "shared/config/value.hpp"

#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "shared/config/network.hpp"
#include "shared/mail/a_label.hpp"
#include "shared/mail/address.hpp"
#include "shared/mail/lookup_key.hpp"

namespace relayd::config {
namespace {

using namespace std::chrono_literals;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// All of `text` as a whole number in decimal.
std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || failure != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

// "50MiB" to 50 and "MiB".
std::pair<std::string_view, std::string_view> split_unit(std::string_view text) {
  const auto unit = std::ranges::find_if_not(text, is_digit);
  const auto digits = static_cast<std::size_t>(unit - text.begin());
  return {text.substr(0, digits), text.substr(digits)};
}

template <std::size_t N>
std::optional<std::uint64_t> factor_of(const std::array<std::pair<std::string_view, std::uint64_t>, N>& units,
                                       std::string_view unit) {
  for (const auto& [name, factor] : units)
    if (name == unit) return factor;
  return {};
}

// Number times unit, or nothing when either is bad or the product is more than `maximum`.
template <std::size_t N>
std::optional<std::uint64_t> measure(std::string_view text,
                                     const std::array<std::pair<std::string_view, std::uint64_t>, N>& units,
                                     std::uint64_t maximum) {
  const auto [digits, unit] = split_unit(text);
  const std::optional<std::uint64_t> number = whole_number(digits);
  const std::optional<std::uint64_t> factor = factor_of(units, unit);
  if (!number || !factor || *number > maximum / *factor) return {};
  return *number * *factor;
}

constexpr std::array<std::pair<std::string_view, std::uint64_t>, 5> duration_units{
    {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};

constexpr std::array<std::pair<std::string_view, std::uint64_t>, 8> size_units{{{"", 1},
                                                                                {"B", 1},
                                                                                {"KB", 1'000},
                                                                                {"MB", 1'000'000},
                                                                                {"GB", 1'000'000'000},
                                                                                {"KiB", 1ull << 10},
                                                                                {"MiB", 1ull << 20},
                                                                                {"GiB", 1ull << 30}}};

bool is_label(std::string_view label) {
  const auto good = [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '_' || (c & 0x80); };
  return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
         std::ranges::all_of(label, good);
}

// "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 4.1.3).
bool is_address_literal(std::string_view text) {
  if (!text.starts_with('[') || !text.ends_with(']')) return false;
  std::string_view address = text.substr(1, text.size() - 2);
  if (lower_case(address.substr(0, 5)) == "ipv6:") address.remove_prefix(5);
  return address.find('/') == std::string_view::npos && Network::parse(address).ok();
}

bool is_local_part(std::string_view text) {
  const bool quoted = text.size() > 2 && text.front() == '"' && text.back() == '"';
  return !text.empty() && text.size() <= 64 &&
         (quoted || text.find_first_of(" \"(),:;<>@[\\]*") == text.npos);
}

Result<Endpoint> parse_unix_endpoint(std::string_view path) {
  if (path.empty()) return Error{"'unix:' needs the path of the socket after it"};
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    return Error{
        fmt::format("the path of a unix socket has at most {} octets", sizeof(sockaddr_un::sun_path) - 1)};
  return Endpoint{.unix_path = std::string(path)};
}

// A name as sd_listen_fds_with_names(3) has it, or the number of a descriptor.
Result<Endpoint> parse_inherited(std::string_view name) {
  const bool good =
      !name.empty() && std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~' && c != ':'; });
  if (!good) return Error{"'fd:' needs the name (or number) of a socket that the service manager hands over"};
  return Endpoint{.inherited = std::string(name)};
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  constexpr std::chrono::milliseconds longest = 24h * 3653;
  const auto count = measure(text, duration_units, static_cast<std::uint64_t>(longest.count()));
  if (!count || *count == 0)
    return Error{fmt::format("'{}' is not a duration (such as 90s, 5m, 4h or 5d)", text)};
  return std::chrono::milliseconds(*count);
}

Result<Bytes> parse_size(std::string_view text) {
  const auto count = measure(text, size_units, std::numeric_limits<std::int64_t>::max());
  if (!count) return Error{fmt::format("'{}' is not a size (such as 1000, 64KiB or 50MiB)", text)};
  return Bytes{*count};
}

Result<std::uint32_t> parse_count(std::string_view text, std::uint32_t maximum) {
  const std::optional<std::uint64_t> number = whole_number(text);
  if (!number || *number == 0 || *number > maximum)
    return Error{fmt::format("'{}' is not a whole number from 1 to {}", text, maximum)};
  return static_cast<std::uint32_t>(*number);
}

Result<std::uint32_t> parse_number(std::string_view text) {
  const std::optional<std::uint64_t> number = whole_number(text);
  if (!number || *number > std::numeric_limits<std::uint32_t>::max())
    return Error{fmt::format("'{}' is not a whole number", text)};
  return static_cast<std::uint32_t>(*number);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  if (text.starts_with("unix:")) return parse_unix_endpoint(text.substr(5));
  if (text.starts_with("fd:")) return parse_inherited(text.substr(3));

  const Error wrong{fmt::format(
      "'{}' is not an address to listen on (such as 127.0.0.1:25, [::1]:25 or unix:/run/relayd/smtp.sock)",
      text)};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool is_ipv6 = host.find(':') != std::string_view::npos;
  const std::optional<std::uint64_t> port = whole_number(text.substr(colon + 1));
  if (bracketed != is_ipv6 || !port || *port > 65535) return wrong;
  if (host.find('/') != std::string_view::npos || !Network::parse(host)) return wrong;
  return Endpoint{.host = std::string(host), .port = static_cast<std::uint16_t>(*port)};
}

Result<std::string> parse_host(std::string_view text) {
  std::string_view host = text;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const bool is_ipv6 = host.find(':') != std::string_view::npos && Network::parse(host).ok();
  if (is_domain(host) || is_ipv6) return dns_spelling(host);
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && is_domain(host.substr(0, colon)))
    return Error{fmt::format("'{}' is not a host: the port has a key of its own, 'port'", text)};
  return Error{fmt::format("'{}' is neither a host name nor an IP address", text)};
}

Result<std::string> parse_pattern(std::string_view text) {
  const std::size_t at = text.rfind('@');
  const std::string_view domain = at == text.npos ? std::string_view() : text.substr(at + 1);
  const std::string_view parent = domain.starts_with("*.") ? domain.substr(2) : domain;
  const bool any_sender = text == "*";
  const bool any_local_part = at == 0 && is_domain(parent);
  const bool one_address = at != 0 && at != text.npos && is_local_part(text.substr(0, at)) &&
                           (is_domain(domain) || is_address_literal(domain));
  if (!any_sender && !any_local_part && !one_address)
    return Error{fmt::format("'{}' is not a pattern (an address, @domain, @*.domain or *)", text)};
  return mail::lookup_key(text);
}

Result<std::string> parse_mailbox(std::string_view text) {
  const bool sound = mail::check_address(text, true) == mail::AddressFault::none;
  if (!sound || mail::split(text).domain.empty())
    return Error{"an address with its domain is wanted, such as ann@example.com"};
  return std::string(text);
}

Result<std::string> parse_ascii_mailbox(std::string_view text) {
  if (mail::check_address(text, false) == mail::AddressFault::needs_utf8)
    return Error{"an address of ASCII characters is wanted: not every message may go to another"};
  return parse_mailbox(text);
}

Result<AccessVerdict> parse_verdict(std::string_view text) {
  if (const auto verdict = find_word<AccessVerdict>(lower_case(text))) return *verdict;
  return Error{fmt::format("'{}' is not one of accept, reject, discard and hold", text.substr(0, 80))};
}

Result<std::string> parse_reject(std::string_view text) {
  const bool has_code = text.size() > 4 && (text[0] == '4' || text[0] == '5') && is_digit(text[1]) &&
                        is_digit(text[2]) && text[3] == ' ';
  if (!has_code)
    return Error{"must start with a code 4xx or 5xx and a text, such as '550 5.7.1 Not from here'"};
  // RFC 5321 4.5.3.1.5: a reply line has at most 512 octets, CRLF included.
  if (text.size() > 510) return Error{"a reply has at most 510 octets"};
  if (!std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; }))
    return Error{"a reply is printable ASCII"};
  return std::string(text);
}

Result<std::string> parse_signing_domain(std::string_view text) {
  if (!is_domain(text)) return Error{fmt::format("'{}' is not a domain", text)};
  if (!ascii::all_ascii(text))
    return Error{fmt::format("'{}': write the domain as DNS has it, its labels as 'xn--...'", text)};
  return lower_case(text);
}

Result<std::string> parse_selector(std::string_view text) {
  if (!is_domain(text) || !ascii::all_ascii(text))
    return Error{fmt::format("'{}' is not a selector: letters, digits and '-', such as s2026", text)};
  return lower_case(text);
}

std::string dns_spelling(std::string_view domain) {
  return ascii::all_ascii(domain) ? std::string(domain) : mail::a_labels(domain);
}

bool is_domain(std::string_view text) {
  if (text.size() > 253) return false;
  if (!ascii::all_ascii(text) && !mail::dns_name(text)) return false;
  for (;;) {
    const std::size_t dot = text.find('.');
    if (!is_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_variable_name(std::string_view text) {
  const auto good = [](char c) { return is_letter(c) || is_digit(c) || c == '_'; };
  return !text.empty() && !is_digit(text.front()) && std::ranges::all_of(text, good);
}

bool has_control_character(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool is_loopback_host(std::string_view host) {
  if (lower_case(host) == "localhost") return true;
  const Result<Network> network = Network::parse(host);
  return network && network->is_loopback();
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

}  // namespace relayd::config
