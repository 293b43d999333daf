#include <algorithm>
#include <string>
#include <vector>

#include "fuzz/targets.hpp"
#include "shared/table/csv.hpp"
#include "shared/table/parse.hpp"

namespace relayd::fuzz {

namespace {

void check(const table::Parsed& parsed, std::string_view input) {
  demand(parsed.faults.empty() == (parsed.table != nullptr), "a table, or faults");
  const auto lines = static_cast<std::size_t>(std::ranges::count(input, '\n')) + 1;
  for (const table::Fault& fault : parsed.faults)
    demand(fault.line <= lines && !fault.text.empty(), "a fault has its line");
  if (!parsed.table) return;
  demand(parsed.table->rows() <= lines, "a row has a line");
  for (const std::string_view key :
       {input.substr(0, 300), std::string_view("a@x.example"), std::string_view()}) {
    const auto value = parsed.table->find(key);
    demand(!value || !value->empty() || key.empty() || input.find('$') != std::string_view::npos,
           "a value is a text");
  }
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) result += c == '"' ? "\"\"" : std::string(1, c);
  return result + "\"";
}

using TextRow = std::vector<std::string>;
std::vector<TextRow> rows_of(std::string_view text, std::vector<table::Fault>& faults) {
  table::Csv csv(text);
  std::vector<table::CsvField> row;
  std::vector<TextRow> result;
  while (csv.next(row, faults)) {
    TextRow& texts = result.emplace_back();
    for (const table::CsvField& field : row) texts.push_back(field.text);
  }
  return result;
}

// What was read can be written, and is read again as it was.
void check_csv(std::string_view input) {
  std::vector<table::Fault> faults;
  const std::vector<TextRow> rows = rows_of(input, faults);
  std::string text;
  for (const TextRow& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) text += (i == 0 ? "" : ",") + quoted(row[i]);
    text += '\n';
  }
  std::vector<table::Fault> none;
  demand(rows_of(text, none) == rows && none.empty(), "rows are read as they were written");
}

}  // namespace

void tables(std::string_view input) {
  check(table::parse_texthash(input), input);
  check(table::parse_csv(input), input);
  check(table::parse_regexp(input), input);
  check_csv(input);
}

}  // namespace relayd::fuzz
