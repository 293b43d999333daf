// Table: what a key stands for, for everything in the configuration that says `table: NAME`.
//
// Stands under the rooms that look keys up. A table is immutable once made, and shared: a reload makes
// others, and whoever still uses the old ones keeps them alive. It reads no file (relay/tables.hpp does);
// which keys of an address are asked for, and in which order, is the caller's.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace relayd::table {

// What is known of a row before a key is asked for.
struct Row {
  std::string_view key;    // as mail::lookup_key() makes it; empty: of a pattern
  std::string_view value;  // empty: it depends on what the pattern matches
  std::size_t line = 0;
};

class Table {
 public:
  Table() = default;
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  virtual ~Table() = default;

  // The value, as it is written. Keys are compared by their lookup keys (shared/mail/lookup_key.hpp); a
  // pattern has no case. Linear in the key at most, for a table of patterns times their number.
  virtual std::optional<std::string> find(std::string_view key) const = 0;
  // The line of the row that find() answers with; 0: there is none.
  virtual std::size_t line_of(std::string_view key) const = 0;
  virtual std::size_t rows() const = 0;

  // All rows, in the order of their lines.
  using Visit = std::function<void(const Row&)>;
  virtual void each(const Visit& visit) const = 0;
};

// The tables of a configuration by their names.
class Tables {
 public:
  void add(std::string name, std::shared_ptr<const Table> table) {
    tables_.emplace(std::move(name), std::move(table));
  }

  // Null: there is none of that name.
  const Table* table(std::string_view name) const {
    const auto found = tables_.find(name);
    return found == tables_.end() ? nullptr : found->second.get();
  }

  // Nothing, too, where there is no such table: a configuration that names one is refused when it is loaded.
  std::optional<std::string> find(std::string_view name, std::string_view key) const {
    const Table* const known = table(name);
    return known ? known->find(key) : std::nullopt;
  }

 private:
  std::map<std::string, std::shared_ptr<const Table>, std::less<>> tables_;
};

}  // namespace relayd::table
