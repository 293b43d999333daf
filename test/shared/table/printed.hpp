// A table, or what is wrong with its text, as one line for a test to compare.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "shared/table/parse.hpp"

namespace relayd::table {

// "LINE: TEXT; LINE: TEXT"
inline std::string faults_of(const Parsed& parsed) {
  std::string text;
  for (const Fault& fault : parsed.faults)
    text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", fault.line, fault.text);
  return text;
}

// The values of these keys, "-" for one without; or the faults.
inline std::string values(const Parsed& parsed, const std::vector<std::string_view>& keys) {
  if (!parsed.table) return faults_of(parsed);
  std::string text;
  for (const std::string_view key : keys)
    text += fmt::format("{}{}", text.empty() ? "" : ", ", parsed.table->find(key).value_or("-"));
  return text;
}

// "LINE:KEY=VALUE" of each row, a pattern's key being empty.
inline std::string rows_of(const Parsed& parsed) {
  if (!parsed.table) return faults_of(parsed);
  std::string text;
  parsed.table->each([&text](const Row& row) {
    text += fmt::format("{}{}:{}={}", text.empty() ? "" : " ", row.line, row.key, row.value);
  });
  return text;
}

}  // namespace relayd::table
