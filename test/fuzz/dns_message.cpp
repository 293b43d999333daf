#include <algorithm>

#include "fuzz/targets.hpp"
#include "shared/dns/mail_hosts.hpp"
#include "shared/dns/message.hpp"

namespace relayd::fuzz {

namespace {

bool is_plain(std::string_view name) {
  return std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

void dns_message(std::string_view input) {
  std::size_t place = 0;
  if (const Result<std::string> name = dns::read_name(input, place)) {
    demand(is_plain(*name) && name->size() <= 4 * 255, "a name is printable and bounded");
    demand(place > 0 && place <= input.size(), "a name ends within the message");
  }
  for (const dns::RecordType type : {dns::RecordType::mx, dns::RecordType::srv, dns::RecordType::txt}) {
    const Result<dns::Told> told = dns::read_answer(input, "example.net", type);
    if (!told) continue;
    demand(told->ttl <= 86400, "nothing is kept for longer than a day");
    const auto last = [](std::uint32_t below) { return below - 1; };
    if (type == dns::RecordType::mx)
      for (const std::string& host : dns::mail_exchangers(told->records, "us.example", last))
        demand(is_plain(host) && host.size() <= 253 && host.find('\\') == std::string::npos,
               "what is connected to is a host");
    if (type == dns::RecordType::srv)
      for (const dns::ResourceRecord& server : dns::servers(told->records, last))
        demand(server.port != 0 && !server.data.empty(), "a server has a host and a port");
  }
}

}  // namespace relayd::fuzz
