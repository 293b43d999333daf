#include "shared/http/url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "shared/base/ascii.hpp"
#include "shared/base/ip_kind.hpp"

namespace relayd::http {
namespace {

constexpr std::size_t longest = 4096;

// A server of SMTP or LMTP would read a request as commands.
constexpr std::uint16_t mail_ports[] = {24, 25, 465, 587, 2465, 2525, 2587};

bool is_ipv6(std::string_view host) {
  return host.find(':') != std::string_view::npos;
}

std::string in_brackets(const std::string& host) {
  return is_ipv6(host) ? '[' + host + ']' : host;
}

// Empty: it is well.
std::string fault_of_octets(std::string_view text) {
  for (const char c : text) {
    if (ascii::is_control(c) || c == ' ')
      return "a URL has no blanks or control characters: write a blank as %20";
    if (!ascii::is_ascii(c)) return "a URL is ASCII: write other characters as %XX, and a host as xn--…";
  }
  return {};
}

// A label that inet_aton(3) would take for a number.
bool is_number(std::string_view label) {
  if (label.starts_with("0x"))
    return std::all_of(label.begin() + 2, label.end(), [](char c) { return ascii::hex_value(c) >= 0; });
  return !label.empty() && std::all_of(label.begin(), label.end(), ascii::is_digit);
}

std::string fault_of_host(const std::string& host) {
  if (host.empty()) return "the URL names no host: write one behind //";
  if (is_ipv6(host)) return {};
  const bool plain = std::all_of(host.begin(), host.end(), [](char c) {
    return ascii::is_letter(c) || ascii::is_digit(c) || c == '-' || c == '.' || c == '_';
  });
  if (!plain) return "a host is letters, digits, '-' and '.', or an IP address: write it so";
  if (ip_kind(host)) return {};
  if (is_number(std::string_view(host).substr(host.rfind('.') + 1)))
    return fmt::format(
        "{} is a number that is read in more than one way: write the address in full, as 192.0.2.1", host);
  if (host.starts_with('.') || host.ends_with('.') || host.find("..") != std::string::npos)
    return "a host has no '.' at an end and no two together: leave them out";
  if (host.size() > 253) return "the host is longer than 253 octets: write one that exists";
  return {};
}

std::string fault_of_target(std::string_view target) {
  for (std::size_t i = 0; i < target.size(); ++i) {
    const char c = target[i];
    if (c == '%' && (i + 2 >= target.size() || ascii::hex_value(target[i + 1]) < 0 ||
                     ascii::hex_value(target[i + 2]) < 0))
      return "behind a '%' stand two hexadecimal digits: write the '%' itself as %25";
    if (std::string_view("\"<>\\^`{|}").find(c) != std::string_view::npos)
      return fmt::format("a URL has no '{}': write it as %{:02X}", c, static_cast<unsigned char>(c));
  }
  return {};
}

std::string read_port(std::string_view digits, std::uint16_t& port) {
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (failure != std::errc() || end != digits.data() + digits.size() || port == 0)
    return "a port is a number from 1 to 65535: write one, or leave out the ':'";
  if (std::find(std::begin(mail_ports), std::end(mail_ports), port) != std::end(mail_ports))
    return fmt::format(
        "port {} is one of mail servers, which would read a request as SMTP: name a web server's", port);
  return {};
}

// "HOST", "HOST:PORT", "[IPv6]", "[IPv6]:PORT".
std::string read_authority(std::string_view text, Url& url) {
  if (text.find('@') != std::string_view::npos)
    return "a URL with a user or a password shows them to whoever sees it: leave out what is before the '@'";
  const bool bracketed = text.starts_with('[');
  const std::size_t end = bracketed ? text.find(']') : text.find(':');
  if (bracketed && end == std::string_view::npos)
    return "the '[' has no ']': write an IPv6 address as [2001:db8::1]";
  url.host = ascii::lower(bracketed ? text.substr(1, end - 1) : text.substr(0, end));
  if (bracketed && (!is_ipv6(url.host) || url.host.find('%') != std::string::npos || !ip_kind(url.host)))
    return "in brackets stands an IPv6 address without a zone: write it as [2001:db8::1]";
  if (std::string fault = fault_of_host(url.host); !fault.empty()) return fault;
  std::string_view rest = end == std::string_view::npos ? "" : text.substr(bracketed ? end + 1 : end);
  if (rest.empty()) return {};
  if (!rest.starts_with(':'))
    return "behind the ']' stands ':' and a port, or the path: leave out what else does";
  return read_port(rest.substr(1), url.port);
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  if (text.size() > longest)
    return Error{fmt::format("the URL is longer than {} octets: use a shorter one", longest)};
  if (std::string fault = fault_of_octets(text); !fault.empty()) return Error{std::move(fault)};
  const std::size_t colon = text.find("://");
  const std::string scheme = ascii::lower(text.substr(0, std::min(colon, text.size())));
  if (colon == std::string_view::npos || (scheme != "https" && scheme != "http"))
    return Error{"a URL begins with https:// or http://: write all of it"};
  if (text.find('#') != std::string_view::npos)
    return Error{"a fragment is not sent: leave out the '#' and what follows"};

  Url url;
  url.tls = scheme == "https";
  const std::uint16_t own_port = url.tls ? 443 : 80;
  url.port = own_port;
  text.remove_prefix(colon + 3);
  const std::size_t end = std::min(text.find_first_of("/?"), text.size());
  if (std::string fault = read_authority(text.substr(0, end), url); !fault.empty())
    return Error{std::move(fault)};
  const std::string_view target = text.substr(end);
  if (std::string fault = fault_of_target(target); !fault.empty()) return Error{std::move(fault)};
  url.target = target.starts_with('/') ? std::string(target) : '/' + std::string(target);
  url.authority = url.port == own_port ? in_brackets(url.host) : endpoint(url);
  return url;
}

std::string endpoint(const Url& url) {
  return fmt::format("{}:{}", in_brackets(url.host), url.port);
}

std::string shown(const Url& url) {
  return fmt::format("{}://{}{}", url.tls ? "https" : "http", url.authority,
                     url.target.substr(0, url.target.find('?')));
}

bool is_secure(const Url& url) {
  return url.tls || url.host == "localhost" || ip_kind(url.host) == IpKind::loopback;
}

}  // namespace relayd::http
