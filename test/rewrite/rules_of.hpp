// Rules for tests of rewriting, in few words.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "rewrite/rewriting.hpp"

namespace relayd::rewrite {

// `in` as in the configuration, with blanks between the words.
inline config::RewriteRule rule(std::string match, std::string to,
                                std::string_view in = "sender recipient from to") {
  const auto has = [in](std::string_view word) { return in.find(word) != std::string_view::npos; };
  config::RewriteRule result;
  result.match = std::move(match);
  result.to = std::move(to);
  result.sender = has("sender");
  result.recipient = has("recipient");
  result.from_fields = has("from");
  result.to_fields = has("to");
  result.where = {static_cast<int>(result.match.size()), 1};
  return result;
}

inline config::RewriteRule table(std::string name, std::string_view in = "sender recipient from to") {
  config::RewriteRule result = rule({}, {}, in);
  result.table = std::move(name);
  return result;
}

inline config::RewriteRule taken(config::RewriteRule rule) {
  rule.taken = true;
  return rule;
}

inline config::RewriteRule forced(std::string match, std::string to) {
  config::RewriteRule result = rule(std::move(match), std::move(to), "sender from");
  result.keep_reply_to = true;
  return result;
}

inline const TableLookup no_tables;

// One scope, and what it makes of a message.
struct Rules {
  RewriteRules rules;
  bool smtp_utf8 = false;
  Notes notes = {};

  Rules(const std::vector<config::RewriteRule>& list, When when = When::sent) : rules(list, when) {}

  Rewriting rewriting() const { return Rewriting({&rules}, no_tables, smtp_utf8); }
  std::string header(std::string_view block) {
    return rewriting().header(block, notes).value_or(std::string(block));
  }
};

}  // namespace relayd::rewrite
