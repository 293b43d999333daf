// DnsWire: messages of DNS as octets, made by hand, so that a test can lie in each of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relayd::test {

namespace dns_type {
constexpr unsigned a = 1, cname = 5, mx = 15, txt = 16, aaaa = 28, srv = 33;
}

inline std::string number(unsigned value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)};
}

inline std::string name_octets(std::string_view name) {
  std::string octets;
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    octets += static_cast<char>(label.size()) + std::string(label);
    name.remove_prefix(std::min(label.size() + 1, name.size()));
  }
  return octets + '\0';
}

inline std::string record(std::string_view owner, unsigned type, const std::string& data,
                          std::uint32_t ttl = 60) {
  return name_octets(owner) + number(type) + number(1) + number(ttl >> 16) + number(ttl & 0xffff) +
         number(static_cast<unsigned>(data.size())) + data;
}
inline std::string mx_data(unsigned preference, std::string_view host) {
  return number(preference) + name_octets(host);
}
inline std::string srv_data(unsigned priority, unsigned weight, unsigned port, std::string_view host) {
  return number(priority) + number(weight) + number(port) + name_octets(host);
}

// A query's one question: name, type, class.
struct DnsQuestion {
  std::string name;
  unsigned type = 0;
  std::string octets;
};

inline DnsQuestion question_of(const std::string& query) {
  DnsQuestion question;
  std::size_t place = 12;
  while (const std::size_t length = static_cast<unsigned char>(query.at(place))) {
    question.name += (question.name.empty() ? "" : ".") + query.substr(place + 1, length);
    place += length + 1;
  }
  question.type = static_cast<unsigned char>(query.at(place + 2));
  question.octets = query.substr(12, place + 5 - 12);
  return question;
}

// With the query's id and question, unless they are replaced afterwards.
inline std::string answer_to(const std::string& query, const std::vector<std::string>& records,
                             unsigned code = 0, bool truncated = false) {
  std::string answer = query.substr(0, 2) + number(0x8180U | code | (truncated ? 0x0200U : 0U)) + number(1) +
                       number(static_cast<unsigned>(records.size())) + number(0) + number(0) +
                       question_of(query).octets;
  for (const std::string& each : records) answer += each;
  return answer;
}

}  // namespace relayd::test
