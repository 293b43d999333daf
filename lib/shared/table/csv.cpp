#include "shared/table/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/base/byte_order_mark.hpp"
#include "shared/base/counted.hpp"
#include "shared/table/rows.hpp"

namespace relayd::table {

Csv::Csv(std::string_view text) : text_(without_byte_order_mark(text)) {}

bool Csv::next(std::vector<CsvField>& row, std::vector<Fault>& faults) {
  while (at_ < text_.size() && faults.size() < most_faults) {
    const std::size_t before = at_;
    skip_line_end();
    if (at_ != before) continue;  // an empty line
    if (read_row(row, faults)) return true;
    skip_line();
  }
  return false;
}

bool Csv::read_row(std::vector<CsvField>& row, std::vector<Fault>& faults) {
  for (std::size_t count = 0;; ++count) {
    if (row.size() == count) row.emplace_back();
    if (!read_field(row[count], faults)) return false;
    if (at_ < text_.size() && text_[at_] == ',') {
      ++at_;
      continue;
    }
    row.resize(count + 1);
    skip_line_end();
    return true;
  }
}

// Stops at the comma or line end behind it.
bool Csv::read_field(CsvField& field, std::vector<Fault>& faults) {
  field.text.clear();
  field.line = line_;
  field.column = at_ - line_begin_ + 1;
  if (at_ < text_.size() && text_[at_] == '"') return read_quoted(field, faults);
  const std::size_t begin = at_;
  while (!at_end_of_field()) ++at_;
  const std::string_view said = text_.substr(begin, at_ - begin);
  if (said.find('"') != std::string_view::npos)
    return fail(faults, field,
                "a quote within a field: one that holds quotes stands in quotes, its own doubled");
  if (!said.empty() && (ascii::is_blank(said.front()) || ascii::is_blank(said.back())))
    return fail(faults, field,
                "a blank at an end of a field would belong to it: remove it, or quote the field");
  field.text = said;
  return true;
}

bool Csv::read_quoted(CsvField& field, std::vector<Fault>& faults) {
  for (++at_; at_ < text_.size(); ++at_) {
    if (text_[at_] == '"' && text_.substr(at_ + 1).starts_with('"')) {
      ++at_;
    } else if (text_[at_] == '"') {
      ++at_;
      if (at_end_of_field()) return true;
      return fail(faults, field, "text behind the closing quote: a quote within quotes is doubled");
    } else if (text_[at_] == '\n') {
      ++line_;
      line_begin_ = at_ + 1;
    }
    field.text += text_[at_];
  }
  return fail(faults, field, "a quote that is not closed");
}

bool Csv::at_end_of_field() const {
  if (at_ == text_.size() || text_[at_] == ',' || text_[at_] == '\n') return true;
  return text_[at_] == '\r' && (at_ + 1 == text_.size() || text_[at_ + 1] == '\n');
}

bool Csv::fail(std::vector<Fault>& faults, const CsvField& field, std::string_view text) {
  faults.push_back({field.line, field.column, std::string(text)});
  return false;
}

void Csv::skip_line() {
  at_ = std::min(text_.find('\n', at_), text_.size());
  skip_line_end();
}

void Csv::skip_line_end() {
  if (at_ < text_.size() && text_[at_] == '\r' && at_end_of_field()) ++at_;
  if (at_ == text_.size() || text_[at_] != '\n') return;
  ++at_;
  ++line_;
  line_begin_ = at_;
}

void append_field(std::string& text, std::string_view field) {
  const bool quoted = field.find_first_of(",\"\r\n") != std::string_view::npos ||
                      (!field.empty() && (ascii::is_blank(field.front()) || ascii::is_blank(field.back())));
  if (!quoted) {
    text += field;
    return;
  }
  text += '"';
  for (const char c : field) {
    if (c == '"') text += '"';
    text += c;
  }
  text += '"';
}

Parsed parse_csv(std::string_view text) {
  const auto rows = std::make_shared<Rows>();
  std::vector<Fault> faults;
  if (text.size() > longest_text) return {nullptr, {{0, 0, "the text is too long"}}};
  const auto is_header = [](const std::vector<CsvField>& row) {
    return row.size() == 2 && ascii::equal_ignoring_case(row[0].text, "key") &&
           ascii::equal_ignoring_case(row[1].text, "value");
  };
  Csv csv(text);
  std::vector<CsvField> row;
  for (bool first = true; faults.size() < most_faults && csv.next(row, faults); first = false) {
    if (first && is_header(row)) continue;
    if (row.size() != 2)
      faults.push_back(
          {row[0].line, 1, fmt::format("a row is KEY,VALUE: this one has {}", counted(row.size(), "field"))});
    else
      rows->add(row[0].text, row[1].text, row[0].line, faults);
  }
  return finish(rows, std::move(faults));
}

}  // namespace relayd::table
