#include "shared/dns/mail_hosts.hpp"

#include <algorithm>
#include <utility>

#include "shared/base/ascii.hpp"

namespace relayd::dns {

namespace {

// A name that can have an address: of letters, digits, - and _, and not an address itself.
bool is_host(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  const std::string_view top = name.substr(name.rfind('.') + 1);
  const bool has_letter = std::ranges::any_of(top, [](char c) { return c >= 'a' && c <= 'z'; });
  return has_letter && std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
         });
}

void shuffle(std::span<ResourceRecord> records, const Chance& chance) {
  for (std::size_t left = records.size(); left > 1; --left)
    std::swap(records[left - 1], records[chance(static_cast<std::uint32_t>(left))]);
}

// RFC 2782: each next one is drawn by its share of the weights that are left; those of weight 0 stand first,
// where they are drawn seldom.
void draw_by_weight(std::span<ResourceRecord> records, const Chance& chance) {
  shuffle(records, chance);
  std::stable_partition(records.begin(), records.end(),
                        [](const ResourceRecord& record) { return record.weight == 0; });
  for (; records.size() > 1; records = records.subspan(1)) {
    std::uint32_t sum = 0;
    for (const ResourceRecord& record : records) sum += record.weight;
    const std::uint32_t drawn = chance(sum + 1);
    std::uint32_t passed = 0;
    const auto chosen = std::ranges::find_if(records, [&](const ResourceRecord& record) {
      passed += record.weight;
      return passed >= drawn;
    });
    std::rotate(records.begin(), chosen, chosen + 1);
  }
}

// Sorts by preference, and hands each group of equals to `order`.
template <class Order>
void order_by_preference(std::vector<ResourceRecord>& records, Order order) {
  std::ranges::stable_sort(records, {}, &ResourceRecord::preference);
  for (auto first = records.begin(); first != records.end();) {
    const auto last = std::find_if(first, records.end(), [&first](const ResourceRecord& record) {
      return record.preference != first->preference;
    });
    order(std::span<ResourceRecord>(first, last));
    first = last;
  }
}

}  // namespace

bool is_null_mx(std::span<const ResourceRecord> records) {
  return records.size() == 1 && records.front().data.empty();
}

std::vector<std::string> mail_exchangers(std::vector<ResourceRecord> records, std::string_view own,
                                         const Chance& chance) {
  const auto is_own = [own](const ResourceRecord& record) {
    return !own.empty() && ascii::equal_ignoring_case(record.data, own);
  };
  const auto self = std::ranges::min_element(records, {}, [&](const ResourceRecord& record) {
    return is_own(record) ? std::uint32_t{record.preference} : 0x10000U;
  });
  if (self != records.end() && is_own(*self))
    std::erase_if(records, [most = self->preference](const ResourceRecord& record) {
      return record.preference >= most;
    });
  std::erase_if(records, [](const ResourceRecord& record) { return !is_host(record.data); });
  order_by_preference(records, [&chance](std::span<ResourceRecord> equals) { shuffle(equals, chance); });
  std::vector<std::string> hosts;
  for (ResourceRecord& record : records)
    if (std::ranges::find(hosts, record.data) == hosts.end()) hosts.push_back(std::move(record.data));
  return hosts;
}

std::vector<ResourceRecord> servers(std::vector<ResourceRecord> records, const Chance& chance) {
  std::erase_if(records,
                [](const ResourceRecord& record) { return !is_host(record.data) || record.port == 0; });
  order_by_preference(records,
                      [&chance](std::span<ResourceRecord> equals) { draw_by_weight(equals, chance); });
  return records;
}

std::string submission_service(bool implicit_tls, std::string_view domain) {
  return (implicit_tls ? "_submissions._tcp." : "_submission._tcp.") + std::string(domain);
}

bool is_below(std::string_view host, std::string_view domain) {
  if (host.size() <= domain.size()) return ascii::equal_ignoring_case(host, domain);
  const std::size_t start = host.size() - domain.size();
  return host[start - 1] == '.' && ascii::equal_ignoring_case(host.substr(start), domain);
}

}  // namespace relayd::dns
