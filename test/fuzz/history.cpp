#include "tell/history.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "fuzz/targets.hpp"

namespace relayd::fuzz {

using nlohmann::json;
using tell::parse_history;

namespace {

// What a stranger says in each text of an event.
void tell_it(std::string_view said) {
  const smtp::Event event(smtp::Stage::final_dot, smtp::Reply{550, {5, 1, 1}, std::string(said)});
  const tell::Outcome outcome{.fate = tell::Fate::failed,
                              .id = "1j0m0u4e32g",
                              .from = said,
                              .to = said,
                              .sent_from = said.substr(0, said.size() / 2),
                              .sent_to = said,
                              .rule = said,
                              .upstream = said,
                              .host = said,
                              .account = said,
                              .tls = said,
                              .event = event,
                              .reply_class = said,
                              .provider_id = said,
                              .attempt = 1,
                              .age = {}};
  for (const bool masked : {false, true}) {
    std::string line;
    tell::append_history(line, outcome, {WallTime(), masked, "key"});
    demand(std::ranges::count(line, '\n') == 1 && line.ends_with('\n'), "an event is one line");
    demand(line.size() <= tell::longest_history_line, "a line is bounded");
    line.pop_back();
    const std::optional<json> object = parse_history(line);
    demand(object && object->at("id") == "1j0m0u4e32g" && object->at("event") == "failed",
           "what is written is read");
    demand(tell::history_head(line)->id == "1j0m0u4e32g", "a line begins with its id");
  }
}

}  // namespace

void history(std::string_view input) {
  if (const std::optional<json> object = parse_history(input)) {
    demand(tell::history_head(input).has_value(), "a line has a head");
    for (const json& value : *object) demand(!value.is_object() && !value.is_null(), "values are plain");
  }
  tell_it(input);
}

}  // namespace relayd::fuzz
