#include "watch/live.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "watch/answer.hpp"

namespace relayd::watch {

using nlohmann::json;

namespace {

// The lanes that come first stay.
void keep_first(std::vector<LaneStatus>& lanes, std::size_t most) {
  const auto key = [](const LaneStatus& lane) {
    return std::tuple<LaneStatus::State, std::string_view, std::string_view>(lane.state, lane.upstream,
                                                                             lane.account);
  };
  if (lanes.size() <= most) return;
  std::ranges::partial_sort(lanes, lanes.begin() + static_cast<std::ptrdiff_t>(most), {}, key);
  lanes.resize(most);
}

// It says how long ago or ahead something is, beside a key that says when.
bool is_relative(std::string_view key) {
  return key == "time" || key == "uptime" || key == "age" || key.ends_with("_age") || key.ends_with("_in") ||
         key.ends_with("_for");
}

// `after` without what only passes; two that are equal so are equal to the reader.
json without_relative(const json& value) {
  if (value.is_array()) {
    json out = json::array();
    for (const json& one : value) out.push_back(without_relative(one));
    return out;
  }
  if (!value.is_object()) return value;
  json out = json::object();
  for (const auto& [key, one] : value.items())
    if (!is_relative(key)) out[key] = without_relative(one);
  return out;
}

// Of two objects without relative members.
json patch_of(const json& before, const json& after) {
  json patch = json::object();
  for (const auto& [key, one] : after.items()) {
    const auto old = before.find(key);
    if (old == before.end()) {
      patch[key] = one;
    } else if (*old != one) {
      const bool both = old->is_object() && one.is_object();
      patch[key] = both ? patch_of(*old, one) : one;
    }
  }
  for (const auto& [key, old] : before.items())
    if (!after.contains(key)) patch[key] = nullptr;
  return patch;
}

bool is_in_trouble(const LaneStatus& lane) {
  return lane.state < LaneStatus::State::slowed;
}

}  // namespace

json live_document(Status status) {
  const std::size_t total = status.lanes.size();
  keep_first(status.lanes, most_lanes_followed);
  json object = json::parse(to_line(std::move(status)));
  json lanes = json::object();
  for (json& lane : object["lanes"]) {
    const std::string name = lane.value("upstream", "") + " " + lane.value("account", "");
    lanes[name] = std::move(lane);
  }
  object.erase("lanes");
  return {{"status", std::move(object)}, {"lanes", std::move(lanes)}, {"lanes_total", total}};
}

json changes_between(const json& before, const json& after) {
  json patch = patch_of(without_relative(before), without_relative(after));
  return patch.empty() ? json() : patch;
}

std::string lanes_line(Status status, const LaneFilter& filter) {
  std::erase_if(status.lanes, [&filter](const LaneStatus& lane) {
    return (!filter.upstream.empty() && lane.upstream != filter.upstream) ||
           (!filter.account.empty() && lane.account != filter.account) ||
           (filter.trouble && !is_in_trouble(lane));
  });
  const std::size_t total = status.lanes.size();
  if (filter.limit > 0) keep_first(status.lanes, filter.limit);
  json object = json::parse(to_line(std::move(status)));
  return line_of({{"lanes", std::move(object["lanes"])}, {"total", total}});
}

}  // namespace relayd::watch
