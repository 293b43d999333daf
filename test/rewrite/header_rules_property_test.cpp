// Header rules over headers drawn at random, against a model of a few lines.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "rewrite/header_edit.hpp"
#include "rewrite/header_rules.hpp"
#include "rewrite/subject_prefix.hpp"
#include "shared/base/ascii.hpp"
#include "shared/mail/encoded_words.hpp"

namespace relayd::rewrite {
namespace {

using Random = std::mt19937;
using Scope = config::HeaderRules;

const std::vector<std::string> names = {"X-A", "x-a", "X-Ab", "X-B", "Y", "Subject"};
const std::vector<std::string> patterns = {"X-A", "x-*", "X-AB*", "Y", "z"};
const std::vector<std::string> values = {"v", "two words", "", "grün",
                                         std::string(100, 'l') + " " + std::string(950, 'm')};
const std::vector<std::string> bodies = {
    " 1\r\n",      "2\r\n\tfolded\r\n",           "\r\n",
    " \r\n x\r\n", std::string(" \0\xff\r\n", 5), " " + std::string(1500, 'b') + "\r\n"};
const std::vector<std::string> others = {"no field\r\n", "X-A y: 1\r\n", "\x01: 1\r\n", ":\r\n"};

template <class T>
const T& one_of(Random& random, const std::vector<T>& list) {
  return list[random() % list.size()];
}

// A line of a header: a field, or something that is none.
struct Line {
  std::string name;  // empty: no field
  std::string whole;
};

std::vector<Line> random_lines(Random& random) {
  std::vector<Line> lines(random() % 8);
  for (Line& line : lines) {
    if (random() % 6 == 0) {
      line.whole = one_of(random, others);
      continue;
    }
    line.name = one_of(random, names);
    line.whole = line.name + (random() % 4 == 0 ? " :" : ":") + one_of(random, bodies);
  }
  return lines;
}

Scope random_scope(Random& random) {
  Scope scope;
  for (auto count = random() % 3; count > 0; --count) scope.remove.push_back(one_of(random, patterns));
  if (random() % 2 == 0) scope.set.push_back({one_of(random, names), one_of(random, values)});
  if (random() % 2 == 0) scope.set_missing.push_back({one_of(random, names), one_of(random, values)});
  return scope;
}

bool same(std::string_view a, std::string_view b) {
  return ascii::equal_ignoring_case(a, b);
}

bool speaks_of(const Scope& scope, std::string_view name) {
  for (const auto& field : scope.set)
    if (same(field.name, name)) return true;
  for (const auto& field : scope.set_missing)
    if (same(field.name, name)) return true;
  for (const auto& pattern : scope.remove)
    if (mail::field_name_fits(name, pattern)) return true;
  return false;
}

// What the rules say, one step after the other: scope by scope, for the names that no scope before speaks of.
std::string model(std::vector<Line> lines, const std::vector<Scope>& scopes) {
  for (std::size_t i = 0; i < scopes.size(); ++i) {
    const auto decides = [&](std::string_view name) {
      for (std::size_t before = 0; before < i; ++before)
        if (speaks_of(scopes[before], name)) return false;
      return !name.empty();
    };
    const auto has = [&](std::string_view name) {
      return std::ranges::any_of(lines, [&](const Line& line) { return same(line.name, name); });
    };
    const auto is_set = [&](std::string_view name) {
      return std::ranges::any_of(scopes[i].set, [&](const auto& field) { return same(field.name, name); });
    };
    for (const auto& pattern : scopes[i].remove)
      std::erase_if(lines, [&](const Line& line) {
        return decides(line.name) && mail::field_name_fits(line.name, pattern) && !is_set(line.name);
      });
    for (const auto& field : scopes[i].set) {
      if (!decides(field.name)) continue;
      if (!has(field.name)) lines.push_back({field.name, {}});
      bool first = true;
      std::erase_if(lines, [&](Line& line) {
        if (!same(line.name, field.name)) return false;
        line.whole = mail::unstructured_field(field.name, field.value, false);
        return !std::exchange(first, false);
      });
    }
    for (const auto& field : scopes[i].set_missing)
      if (decides(field.name) && !has(field.name))
        lines.push_back({field.name, mail::unstructured_field(field.name, field.value, false)});
  }
  std::string header;
  for (const Line& line : lines) header += line.whole;
  return header;
}

void expect_no_longer_line(std::string_view before, std::string_view after) {
  for (std::size_t begin = 0; begin < after.size();) {
    const std::size_t end = std::min(after.find('\n', begin), after.size() - 1) + 1;
    const std::string_view line = after.substr(begin, end - begin);
    EXPECT_TRUE(line.size() <= 1000 || before.find(line) != before.npos) << "a line of " << line.size();
    begin = end;
  }
}

TEST(HeaderRulesProperty, RulesDoWhatTheModelDoes) {
  Random random(20261122);
  for (int round = 0; round < 20'000; ++round) {
    const std::vector<Line> lines = random_lines(random);
    const std::vector<Scope> scopes = {random_scope(random), random_scope(random), random_scope(random)};
    std::string header;
    for (const Line& line : lines) header += line.whole;
    const std::string end = random() % 3 == 0 ? "" : "\r\nX-A: body\r\n";
    const auto edited = MergedHeaderRules({&scopes[0], &scopes[1], &scopes[2]}).apply(header + end, {});
    ASSERT_EQ(edited.value_or(header + end), model(lines, scopes) + end) << header;
    expect_no_longer_line(header, edited.value_or(""));
  }
}

TEST(HeaderRulesProperty, APrefixChangesSubjectsAlone) {
  Random random(7);
  const std::vector<std::string> prefixes = {"[t]", "[grün]", "a b c", std::string(200, 'p')};
  for (int round = 0; round < 5'000; ++round) {
    const std::vector<Line> lines = random_lines(random);
    std::string header;
    for (const Line& line : lines) header += line.whole;
    const std::string_view prefix = one_of(random, prefixes);
    const std::string edited = with_subject_prefix(header, prefix, false).value_or(header);
    ASSERT_EQ(with_subject_prefix(edited, prefix, false), std::nullopt) << edited;
    expect_no_longer_line(header, edited);
    std::size_t at = 0;
    for (const Line& line : lines) {
      if (line.name == "Subject") continue;
      at = edited.find(line.whole, at);
      ASSERT_NE(at, std::string::npos) << line.whole;
      at += line.whole.size();
    }
  }
}

TEST(HeaderRulesProperty, HostileHeadersTakeLinearTimeAndPass) {
  constexpr std::size_t size = 1 << 20;
  Scope scope;
  scope.remove = {"X-*"};
  scope.set = {{"Y", "v"}};
  scope.subject_prefix = "[t]";
  for (const std::string_view part :
       {"a", "\n", "\r\n", "\r", "Subject: ", "Subject:\r\n", "Subject: =?\r\n", "x:", " ", "X-A:\r\n",
        "Subject: =?utf-8?b?"
        "?=\r\n ",
        "Subject: Re:\r\n Re:\r\n "}) {
    std::string header = "Subject:";
    while (header.size() < size) header += part;
    const auto edited = MergedHeaderRules({&scope}).apply(header, {});
    EXPECT_TRUE(edited.has_value()) << part;
  }
}

}  // namespace
}  // namespace relayd::rewrite
