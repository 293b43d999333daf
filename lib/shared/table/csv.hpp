// Csv: comma-separated values (RFC 4180), a row at a time.
//
// Rows end with LF or CRLF, empty lines are skipped, and there are no comments. A field in quotes may hold
// commas, line ends and, doubled, quotes. Blanks at either end of a field belong to it in RFC 4180 and to
// nobody's wish: without quotes they are a fault. append_field() writes what is read so. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "shared/table/parse.hpp"

namespace relayd::table {

struct CsvField {
  std::string text;  // without its quotes
  std::size_t line = 0;
  std::size_t column = 0;  // in octets
};

class Csv {
 public:
  explicit Csv(std::string_view text);

  // The next row without a fault, or false at the end. What is wrong with others goes to `faults`.
  bool next(std::vector<CsvField>& row, std::vector<Fault>& faults);

 private:
  bool read_row(std::vector<CsvField>& row, std::vector<Fault>& faults);
  bool read_field(CsvField& field, std::vector<Fault>& faults);
  bool read_quoted(CsvField& field, std::vector<Fault>& faults);
  bool at_end_of_field() const;
  bool fail(std::vector<Fault>& faults, const CsvField& field, std::string_view text);
  void skip_line();
  void skip_line_end();

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::size_t line_begin_ = 0;
};

// Adds a field, in quotes where it needs them.
void append_field(std::string& text, std::string_view field);

}  // namespace relayd::table
