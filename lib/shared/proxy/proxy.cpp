#include "shared/proxy/proxy.hpp"

#include <fmt/format.h>

#include <optional>

#include "shared/base/ascii.hpp"
#include "shared/http/url.hpp"

namespace relayd::proxy {

namespace {

constexpr std::size_t longest_name = 255;  // RFC 1929 2: its length is one octet

// Nothing: it is no such text, or hides a control character.
std::optional<std::string> decode_percent(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = ascii::hex_value(text[i + 1]), low = ascii::hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high << 4 | low);
      i += 2;
    }
    if (ascii::is_control(c)) return std::nullopt;
    out += c;
  }
  return out;
}

// Empty: it is well.
std::string read_account(std::string_view text, Proxy& proxy) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos)
    return "a proxy's account is written as USER:PASSWORD: the password is missing";
  std::optional<std::string> username = decode_percent(text.substr(0, colon));
  std::optional<std::string> password = decode_percent(text.substr(colon + 1));
  if (!username || !password)
    return "in a proxy's account stand two hexadecimal digits behind a '%', and no control characters";
  const auto fits = [](const std::string& name) { return !name.empty() && name.size() <= longest_name; };
  if (!fits(*username) || !fits(*password))
    return "the user and the password of a proxy have 1 to 255 octets";
  if (!proxy.socks && username->find(':') != std::string::npos)  // RFC 7617 2
    return "the user of an HTTP proxy has no ':'";
  proxy.username = std::move(*username);
  proxy.password = Secret(std::move(*password));
  return {};
}

}  // namespace

Result<Proxy> parse_proxy(std::string_view text) {
  constexpr std::string_view socks = "socks5://", http = "http://";
  const std::string usage = "a proxy is written as socks5://HOST:PORT or http://HOST:PORT";
  Proxy proxy;
  proxy.socks = text.starts_with(socks);
  if (!proxy.socks && !text.starts_with(http)) return Error{usage};
  text.remove_prefix(proxy.socks ? socks.size() : http.size());
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    if (std::string fault = read_account(text.substr(0, at), proxy); !fault.empty()) return Error{fault};
    text.remove_prefix(at + 1);
  }
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon == std::string_view::npos) return Error{usage};
  const Result<http::Url> url = http::parse_url(fmt::format("http://{}", text));
  if (!url) return Error{url.error()};
  if (url->target != "/" || text.ends_with('/')) return Error{usage};
  proxy.host = url->host;
  proxy.port = url->port;
  return proxy;
}

std::string endpoint(std::string_view host, std::uint16_t port) {
  const bool is_ipv6 = host.find(':') != std::string_view::npos;
  return is_ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

std::string shown(const Proxy& proxy) {
  return fmt::format("{}://{}", proxy.socks ? "socks5" : "http", endpoint(proxy.host, proxy.port));
}

}  // namespace relayd::proxy
