#include "route/rule_index.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/mail/address.hpp"

namespace relayd::route {

namespace {

// What stands between the values of a key: no account, listener or field holds it.
constexpr char end_of_value = '\n';

// How much of an address the network leaves open: less is asked for first.
int open_bits(const config::Network& network) {
  const std::string text = network.text();
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return 0;
  const bool ipv4 = text.find(':') == std::string::npos;
  return (ipv4 ? 32 : 128) - std::stoi(text.substr(slash + 1));
}

// The pattern whose rules come next for an address that falls under this one; see mail::Matcher.
std::string wider_than(const std::string& pattern) {
  if (pattern == "*") return {};
  const std::string untagged = mail::without_tag(pattern);
  if (untagged != pattern) return untagged;
  const auto [local, domain] = mail::split(pattern);
  if (domain.empty()) return "*";
  if (!local.empty()) return fmt::format("@{}", domain);
  const std::size_t from = domain.starts_with("*.") ? 2 : 0;
  const std::size_t dot = domain.find('.', from);
  return dot == std::string_view::npos ? "*" : fmt::format("@*{}", domain.substr(dot));
}

}  // namespace

bool RuleIndex::Candidate::holds(const Client* client) const {
  if (network) return network->contains(client->address);
  return !uid || client->address == fmt::format("uid:{}", *uid);
}

bool RuleIndex::asks_more(std::uint32_t a, std::uint32_t b) const {
  const auto rank = [](const Shape& shape) {
    return std::tuple(-static_cast<int>(shape.count()), !shape.account, !shape.client, !shape.listener,
                      shape.headers);
  };
  return rank(shapes_[a]) < rank(shapes_[b]);
}

std::uint32_t RuleIndex::shape_of(const config::RuleConditions& conditions) {
  Shape shape;
  shape.account = !conditions.account.empty();
  shape.client = !conditions.clients.empty() || !conditions.uids.empty();
  shape.listener = !conditions.listener.empty();
  for (const config::HeaderField& field : conditions.headers)
    shape.headers.push_back(ascii::lower(field.name));
  std::ranges::sort(shape.headers);
  const auto known = std::ranges::find(shapes_, shape);
  const auto number = static_cast<std::uint32_t>(known - shapes_.begin());
  if (known == shapes_.end()) {
    header_names_.insert(shape.headers.begin(), shape.headers.end());
    shapes_.push_back(std::move(shape));
  }
  return number;
}

bool RuleIndex::add(std::string_view pattern, const config::RuleConditions& conditions, std::size_t rule) {
  std::size_t number = groups_.size();
  if (patterns_.add(pattern, number))
    groups_.push_back({});
  else
    number = *patterns_.find_pattern(pattern);
  Group& group = groups_[number];
  const std::uint32_t shape = shape_of(conditions);
  if (shapes_[shape].count() == 0) {
    if (group.plain) return false;
    group.plain = rule;
    return true;
  }
  group.pattern = pattern;
  if (std::ranges::find(group.shapes, shape) == group.shapes.end()) group.shapes.push_back(shape);
  std::string key = fmt::format("{} {}", number, shape);
  key.append(1, end_of_value).append(conditions.account);
  key.append(1, end_of_value).append(conditions.listener);
  for (const std::string& name : shapes_[shape].headers)
    for (const config::HeaderField& field : conditions.headers)
      if (ascii::lower(field.name) == name) key.append(1, end_of_value).append(field.value);
  return add_candidates(std::move(key), conditions, rule);
}

bool RuleIndex::add_candidates(std::string key, const config::RuleConditions& conditions, std::size_t rule) {
  std::vector<Candidate>& candidates = candidates_[std::move(key)];
  bool fresh = true;
  const auto add = [&](Candidate candidate) {
    fresh = fresh && std::ranges::none_of(candidates, [&candidate](const Candidate& other) {
              if (other.network.has_value() != candidate.network.has_value()) return false;
              return other.network ? other.network->text() == candidate.network->text()
                                   : other.uid == candidate.uid;
            });
    candidates.push_back(std::move(candidate));
  };
  for (const config::Network& network : conditions.clients) add({network, {}, rule});
  for (const std::uint32_t uid : conditions.uids) add({{}, uid, rule});
  if (conditions.clients.empty() && conditions.uids.empty()) add({{}, {}, rule});
  return fresh;
}

void RuleIndex::finish() {
  for (Group& group : groups_) {
    std::ranges::sort(group.shapes, [this](std::uint32_t a, std::uint32_t b) { return asks_more(a, b); });
    if (group.plain) continue;  // it always holds
    for (std::string wider = wider_than(group.pattern); !wider.empty() && !group.wider;
         wider = wider_than(wider))
      group.wider = patterns_.find_pattern(wider);
  }
  for (auto& [key, candidates] : candidates_)
    std::ranges::stable_sort(candidates, {}, [](const Candidate& candidate) {
      return candidate.network ? open_bits(*candidate.network) : 0;
    });
}

// Nothing: none of that shape holds.
std::optional<RuleIndex::Found> RuleIndex::ask(std::size_t group, std::uint32_t number,
                                               const Mail& mail) const {
  const Shape& shape = shapes_[number];
  const bool asks_client = shape.account || shape.client || shape.listener;
  if ((asks_client && !mail.client) || (!shape.headers.empty() && !mail.header)) return Found{{}, true};
  std::string key = fmt::format("{} {}", group, number);
  key.append(1, end_of_value).append(shape.account ? mail.client->account : "");
  key.append(1, end_of_value).append(shape.listener ? mail.client->listener : "");
  for (const std::string& name : shape.headers) {
    const auto value = mail.header->find(name);
    if (value == mail.header->end()) return std::nullopt;
    key.append(1, end_of_value).append(value->second);
  }
  const auto found = candidates_.find(key);
  if (found == candidates_.end()) return std::nullopt;
  for (const Candidate& candidate : found->second)
    if (candidate.holds(mail.client)) return Found{candidate.rule, false};
  return std::nullopt;
}

RuleIndex::Found RuleIndex::find(std::string_view address, const Mail& mail) const {
  for (std::optional<std::size_t> number = patterns_.find(address); number;) {
    const Group& group = groups_[*number];
    for (const std::uint32_t shape : group.shapes)
      if (const std::optional<Found> found = ask(*number, shape, mail)) return *found;
    if (group.plain) return {group.plain, false};
    number = group.wider;
  }
  return {};
}

}  // namespace relayd::route
