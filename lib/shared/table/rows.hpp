// Rows: a table of keys and values in one piece of memory.
//
// All text in one string, and 16 octets a row beside it, sorted by key. Private to this room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shared/table/parse.hpp"

namespace relayd::table {

class Rows final : public Table {
 public:
  // Complains about a key or a value that is empty or holds a control character.
  void add(std::string_view key, std::string_view value, std::size_t line, std::vector<Fault>& faults);
  // Once, before the first find. Complains about keys that are there twice.
  void sort(std::vector<Fault>& faults);

  std::optional<std::string> find(std::string_view key) const override;
  std::size_t line_of(std::string_view key) const override;
  std::size_t rows() const override { return rows_.size(); }
  void each(const Visit& visit) const override;

 private:
  // Where key and value begin in the text, and where the value ends; the line that it stands in.
  struct Place {
    std::uint32_t key, value, end, line;
  };
  std::string_view key(const Place& row) const {
    return std::string_view(text_).substr(row.key, row.value - row.key);
  }
  std::string_view value(const Place& row) const {
    return std::string_view(text_).substr(row.value, row.end - row.value);
  }
  const Place* place(std::string_view wanted) const;

  std::string text_;  // the keys as mail::lookup_key() makes them
  std::vector<Place> rows_;
};

// Why a text may stand in no table; empty when it may.
std::string_view fault_in(std::string_view text);

// The rows, unless there are faults; those in the text's order.
Parsed finish(std::shared_ptr<Rows> rows, std::vector<Fault> faults);

}  // namespace relayd::table
