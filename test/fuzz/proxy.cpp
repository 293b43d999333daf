#include "shared/proxy/proxy.hpp"

#include <algorithm>

#include "fuzz/targets.hpp"
#include "shared/base/ascii.hpp"
#include "shared/proxy/socks5.hpp"

namespace relayd::fuzz {

namespace {

void demand_one_line(const std::string& text) {
  demand(!text.empty() && std::none_of(text.begin(), text.end(), ascii::is_control),
         "a complaint is one line");
}

}  // namespace

// The first line is how a proxy is written, what follows is what it says in SOCKS5.
void proxy(std::string_view input) {
  const std::size_t end = std::min(input.find('\n'), input.size());
  Result<proxy::Proxy> parsed = proxy::parse_proxy(input.substr(0, end));
  if (!parsed) {
    demand_one_line(parsed.error());
    parsed = proxy::Proxy{true, "proxy.example", 1080, "", Secret()};
  } else {
    const Result<proxy::Proxy> again = proxy::parse_proxy(shown(*parsed));
    demand(
        again && again->host == parsed->host && again->port == parsed->port && again->socks == parsed->socks,
        "what is shown is read as it was meant");
    demand(again->username.empty() && again->password.empty(), "no account is shown");
    demand(parsed->username.size() <= 255 && parsed->password.reveal().size() <= 255,
           "an account fits its octets");
  }
  std::string_view said = input.substr(std::min(end + 1, input.size()));
  proxy::Socks5 client(*parsed, "smtp.example.net", 587);
  int rounds = 0;
  while (client.wants() > 0 && said.size() >= client.wants()) {
    demand(client.wants() <= 257, "little is asked for at a time");
    demand(++rounds <= 6, "the handshake ends");
    const std::size_t count = client.wants();
    client.feed(said.substr(0, count));
    said.remove_prefix(count);
    demand(client.take_output().size() <= 1 + 2 * 256 + 4, "little is said at a time");
  }
  demand(!(client.open() && client.refused()), "a tunnel is open or refused");
  if (client.wants() == 0 && !client.open()) demand_one_line(client.fault());
}

}  // namespace relayd::fuzz
