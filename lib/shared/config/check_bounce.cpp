// What must hold in `bounce`.
#include <fmt/format.h>

#include <algorithm>

#include "shared/config/check.hpp"
#include "shared/config/conditions.hpp"
#include "shared/config/value.hpp"
#include "shared/mail/matcher.hpp"

namespace relayd::config {
namespace {

void check_ages(Reader& reader, const Node& node, const Config& config) {
  const std::vector<std::chrono::seconds>& ages = config.bounce.delay_warning;
  const auto complain = [&](std::size_t i, std::string text) {
    reader.error(node.kind == Node::Kind::list ? node.items[i].place : node.place, std::move(text));
  };
  for (std::size_t i = 0; i < ages.size(); ++i) {
    if (ages[i] >= config.queue.lifetime)
      complain(i, "mail has ended by then: a warning comes before 'queue.lifetime' is over");
    else if (i > 0 && ages[i] <= ages[i - 1])
      complain(i, "each age is longer than the one before");
  }
}

// Reports are mail from bounce.from, and leave by the rules of senders. Silent where a rule could not be
// read.
void check_route(Reader& reader, const Node& node, const Config& config) {
  const bool by_reader = std::ranges::any_of(
      config.recipients, [](const SenderRule& rule) { return rule.match == "*" && rule.reject.empty(); });
  if (config.bounce.from.empty() || config.senders.empty() || by_reader) return;
  mail::Matcher matcher;
  for (std::size_t i = 0; i < config.senders.size(); ++i) {
    if (asks_more(config.senders[i].conditions)) continue;  // nobody hands in a report
    const Result<std::string> pattern = parse_pattern(config.senders[i].match);
    if (!pattern) return;
    matcher.add(*pattern, i);
  }
  const std::optional<std::size_t> found = matcher.find(config.bounce.from);
  const Place& place = node.place_of("from");
  if (!found)
    reader.error(place, fmt::format("no rule of 'senders' is for '{}': reports could not leave; add one",
                                    config.bounce.from));
  else if (!config.senders[*found].reject.empty())
    reader.error(place, fmt::format("the rule '{}' of 'senders' rejects '{}': reports could not leave",
                                    config.senders[*found].match, config.bounce.from));
}

}  // namespace

void check_bounce(Reader& reader, const Node& root, const Config& config) {
  const Node* const node = root.find("bounce");
  if (!node || node->kind != Node::Kind::map || node->entries.empty()) return;
  if (!node->has("from"))
    reader.error(node->entries.front().place,
                 "'from' is missing here: without the address that reports come from none is written");
  if (const Node* const ages = node->find("delay_warning")) check_ages(reader, *ages, config);
  check_route(reader, *node, config);
}

}  // namespace relayd::config
