#include "rewrite/rewriting.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "fuzz/targets.hpp"
#include "rewrite/header_addresses.hpp"
#include "shared/mail/field.hpp"
#include "shared/mail/mailboxes.hpp"

namespace relayd::fuzz {

namespace {

// The first octet chooses the rules.
std::vector<config::RewriteRule> rules_of(char choice) {
  config::RewriteRule domain, force;
  domain.match = (choice & 1) != 0 ? "@a" : "@*.a";
  domain.to = (choice & 2) != 0 ? "@bb.example" : "\"long name\"@" + std::string(60, 'b') + ".example";
  domain.from_fields = domain.to_fields = true;
  force.match = (choice & 4) != 0 ? "*" : "x@a";
  force.to = "n@bb.example";
  force.from_fields = force.keep_reply_to = true;
  if ((choice & 8) != 0) return {domain};
  return {domain, force};
}

std::size_t longest_line(std::string_view text) {
  std::size_t longest = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    longest = std::max(longest, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return longest;
}

std::vector<std::string> others(std::string_view header) {
  std::vector<std::string> fields;
  while (!header.empty()) {
    const mail::Field field = mail::take_field(header);
    if (!rewrite::class_of(field.name)) fields.emplace_back(field.whole);
  }
  return fields;
}

std::vector<std::string> addresses(std::string_view header) {
  std::vector<std::string> found;
  mail::for_each_field(header, [&found](const mail::Field& field) {
    if (!rewrite::class_of(field.name)) return;
    for (const mail::Mailbox& mailbox : mail::mailboxes(field.body))
      found.push_back(mailbox.address + mailbox.obsolete);
  });
  return found;
}

}  // namespace

void rewriting(std::string_view input) {
  if (input.empty()) return;
  const rewrite::RewriteRules rules(rules_of(input.front()), rewrite::When::sent);
  const rewrite::TableLookup no_tables;
  const rewrite::Rewriting rewriting({&rules}, no_tables, true);
  const std::string_view header = input.substr(1);
  rewrite::Notes notes;
  const auto result = rewriting.header(header, notes);
  if (!result) return;
  demand(*result != header, "what stays is not copied");
  demand(longest_line(*result) <= std::max<std::size_t>(longest_line(header), 998 + 1),
         "no line is too long");
  demand(others(*result) == others(header), "other fields stay");
  rewrite::Notes again;
  if (notes.empty() && (input.front() & 4) == 0)
    demand(!rewriting.header(*result, again), "what was mapped needs no more");
  if ((input.front() & 8) == 0 || !notes.empty()) return;
  std::vector<std::string> expected = addresses(header);
  for (std::string& address : expected)
    if (auto mapped = rewriting.map(rewrite::AddressClass::from_fields, address, notes))
      address = std::move(mapped->address);
  demand(addresses(*result) == expected, "the addresses are those that were, mapped");
}

}  // namespace relayd::fuzz
