#include "watch/listing.hpp"

#include <cstddef>
#include <ranges>

#include "watch/answer.hpp"

namespace relayd::watch {

using nlohmann::json;

namespace {

std::string reason_of(const std::vector<queue::HistoryEvent>& events, std::size_t recipient) {
  for (const queue::HistoryEvent& event : events | std::views::reverse)
    for (const queue::RecipientOutcome& outcome : event.outcome.recipients) {
      if (outcome.recipient != recipient || (outcome.text.empty() && outcome.code == 0)) continue;
      return outcome.code == 0 ? outcome.text : std::to_string(outcome.code) + " " + outcome.text;
    }
  return {};
}

}  // namespace

json describe_routes(const std::vector<RouteSeen>& routes) {
  json list = json::array();
  for (const RouteSeen& route : routes) {
    json ways = json::array();
    for (const AccountName& way : route.ways)
      ways.push_back({{"upstream", way.upstream}, {"account", way.account}});
    list.push_back({{"rule", route.rule}, {"where", route.where}, {"upstreams", std::move(ways)}});
  }
  return list;
}

std::string with_details(const std::string& row, const mail::Envelope& envelope,
                         const std::vector<queue::RecipientState>& states,
                         const std::vector<queue::HistoryEvent>& events) {
  json object = json::parse(row);
  std::size_t first = 0, count = 0;
  for (std::size_t i = 0; i < envelope.recipients.size(); ++i)
    if (mail::is_unsent(states[i]) && count++ == 0) first = i;
  if (first >= envelope.recipients.size()) return row;
  object.update({{"to", envelope.recipients[first].address}, {"to_count", count}});
  if (std::string reason = reason_of(events, first); !reason.empty()) object["reason"] = std::move(reason);
  return line_of(object);
}

}  // namespace relayd::watch
