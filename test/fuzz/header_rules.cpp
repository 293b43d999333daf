#include "rewrite/header_rules.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "fuzz/targets.hpp"
#include "rewrite/control_fields.hpp"
#include "rewrite/header_edit.hpp"
#include "rewrite/signed_fields.hpp"
#include "rewrite/subject_prefix.hpp"

namespace relayd::fuzz {

namespace {

std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 76 &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~' && c != ':'; });
}

// Lines up to an empty one: "-NAME", "=NAME:VALUE", "+NAME:VALUE", ">PREFIX", "m" (a masked Received).
config::HeaderRules take_rules(std::string_view& input) {
  config::HeaderRules rules;
  for (std::string_view line = take_line(input); !line.empty(); line = take_line(input)) {
    const char kind = line.front();
    line.remove_prefix(1);
    const std::size_t colon = std::min(line.find(':'), line.size());
    const std::string name(line.substr(0, colon));
    const std::string value(line.substr(std::min(colon + 1, line.size())));
    if (kind == '>') rules.subject_prefix = line;
    if (kind == 'm') rules.received = config::ReceivedForm::masked;
    if (!is_name(name)) continue;
    if (kind == '-') rules.remove.push_back(name);
    if (kind == '=') rules.set.push_back({name, value});
    if (kind == '+') rules.set_missing.push_back({name, value});
  }
  return rules;
}

bool names(const config::HeaderRules& rules, std::string_view name) {
  const auto is_named = [name](const config::HeaderField& field) {
    return mail::Field{{}, name, {}}.is(field.name);
  };
  return std::ranges::any_of(rules.remove, [name](auto& one) { return mail::field_name_fits(name, one); }) ||
         std::ranges::any_of(rules.set, is_named) || std::ranges::any_of(rules.set_missing, is_named) ||
         (!rules.subject_prefix.empty() && mail::field_name_fits(name, "Subject")) ||
         (rules.received && mail::field_name_fits(name, "Received"));
}

// The fields that no rule names, without the end of their last line.
std::vector<std::string> others(std::string_view header, const config::HeaderRules& rules) {
  std::vector<std::string> fields;
  rewrite::HeaderEdit edit(header);
  for (mail::Field field; edit.next(field);)
    if (!names(rules, field.name))
      fields.emplace_back(field.whole.substr(0, field.whole.find_last_not_of("\r\n") + 1));
  return fields;
}

std::size_t longest_line(std::string_view text) {
  std::size_t longest = 0;
  while (!text.empty()) longest = std::max(longest, take_line(text).size());
  return longest;
}

void check_control_fields(std::string_view header) {
  const mail::ControlFields tagged = {{{"X-T-Tag", true}, {"X-T-*"}}, {"X-T-Tag"}, {"X-T-Stream"}};
  const std::vector<const mail::ControlFields*> all = {&tagged};
  for (const bool may_use : {false, true}) {
    const auto without = rewrite::with_own_control_fields(header, all, nullptr, may_use);
    rewrite::HeaderEdit left(without ? std::string_view(*without) : header);
    for (mail::Field field; left.next(field);)
      demand(!mail::field_name_fits(field.name, "X-T-*") && !field.is("X-Relayd-Tag"), "no order is left");
    const auto with = rewrite::with_own_control_fields(header, all, &tagged, may_use);
    demand(longest_line(with.value_or("")) <= std::max<std::size_t>(longest_line(header), 999),
           "no order makes a line too long");
  }
}

}  // namespace

void header_rules(std::string_view input) {
  const config::HeaderRules rules = take_rules(input);
  const std::string_view header = input;
  for (const bool utf8 : {false, true}) {
    const std::string edited =
        rewrite::MergedHeaderRules({&rules}).apply(header, {.smtp_utf8 = utf8}).value_or(std::string(header));
    demand(others(edited, rules) == others(header, rules), "what is not named stays, in its order");
    demand(longest_line(edited) <= std::max<std::size_t>(longest_line(header), 999), "no line gets too long");
    demand(!rewrite::with_subject_prefix(edited, rules.subject_prefix, utf8), "a prefix is put once");
    const std::string changed = rewrite::changed_signed_field(header, edited);
    demand(changed.empty() || edited != header, "what is not changed breaks no signature");
  }
  check_control_fields(header);
}

}  // namespace relayd::fuzz
