// RuleMatcher: which of many rules, with patterns or with tables, an address falls under.
//
// Stands under rewriting, copies and access rules, so that tables stand among patterns in one order. Prepared
// once; a rule is a number of the caller's. It knows no table: the caller is asked for what one says. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/mail/matcher.hpp"

namespace relayd::mail {

class RuleMatcher {
 public:
  // False when the pattern is there already; the first one stays.
  bool add(std::string_view pattern, std::size_t rule);
  void add_table(std::size_t rule) { tables_.push_back(rule); }
  // A rule of the configuration, which has a pattern, `match`, or names a `table` instead.
  template <class Rule>
  void add_rule(const Rule& rule, std::size_t number) {
    if (rule.table.empty())
      add(rule.match, number);
    else
      add_table(number);
  }
  bool empty() const { return patterns_.empty() && tables_.empty(); }

  // The value of a key in the table of that rule; nothing: it has none. Keys are spelt as by
  // lookup_spelling().
  using Ask = std::function<std::optional<std::string>(std::size_t rule, std::string_view key)>;

  struct Found {
    std::size_t rule = 0;
    std::optional<std::string> value;  // of a table
    std::string key;                   // that the table has
    std::string tag;                   // "+tag", where only the address without it is known
  };
  // The narrowest rule. Keys are tried in the order of virtual(5): user+tag@domain, user@domain, @domain;
  // each in patterns first, then in the tables in the order of their rules. What is left then are the
  // patterns
  // @*.PARENT, the nearest first, and *.
  std::optional<Found> find(std::string_view address, const Ask& ask) const;

 private:
  std::optional<Found> ask_tables(const std::string& key, const Ask& ask) const;

  Matcher patterns_;
  std::vector<std::size_t> tables_;
};

}  // namespace relayd::mail
