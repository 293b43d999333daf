#include "shared/config/senders_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/base/counted.hpp"
#include "shared/config/check.hpp"
#include "shared/config/file.hpp"
#include "shared/config/keys.hpp"
#include "shared/config/suggest.hpp"
#include "shared/table/csv.hpp"

namespace relayd::config {

namespace {

constexpr std::size_t longest = 64 << 20;
constexpr std::size_t most_told = 100;  // faults: a file of another kind has one in every row

struct Column {
  std::string_view name;
  std::string_view key;
  std::string_view way = {};  // the source of a secret; empty: the field is the value
};

constexpr auto columns = std::to_array<Column>({{"match", "match"},
                                                {"upstream", "upstream"},
                                                {"username", "username"},
                                                {"password", "password"},
                                                {"password_file", "password", "file"},
                                                {"password_env", "password", "env"},
                                                {"next_password", "next_password"},
                                                {"next_password_file", "next_password", "file"},
                                                {"next_password_env", "next_password", "env"},
                                                {"reject", "reject"}});

class SendersFile {
 public:
  SendersFile(Reader& reader, Config& config) : reader_(reader), config_(config) {}

  void read(std::string_view text) {
    table::Csv csv(text);
    std::vector<table::Fault> faults;
    std::vector<table::CsvField> row;
    bool goes_on = csv.next(row, faults) && read_header(row);
    const std::size_t before = reader_.errors.size();
    while (goes_on && csv.next(row, faults)) {
      add_rule(row);
      goes_on = reader_.errors.size() + faults.size() - before < most_told;
    }
    hand_over();
    for (const table::Fault& fault : faults) reader_.error(place(fault.line, fault.column), fault.text);
    if (columns_.empty() && faults.empty())
      reader_.error(place(1, 1), "the first row has to name the columns");
    if (reader_.errors.size() - before >= most_told)
      reader_.error(place(1, 1), fmt::format("{} faults: the rest is not read", most_told));
  }

 private:
  Place place(std::size_t line, std::size_t column) const {
    return {{static_cast<int>(line), static_cast<int>(column)}, config_.senders_file};
  }
  Place place(const table::CsvField& field) const { return place(field.line, field.column); }

  bool read_header(const std::vector<table::CsvField>& row) {
    std::vector<std::string_view> known;
    for (const Column& column : columns) known.push_back(column.name);
    const std::size_t before = reader_.errors.size();
    for (const table::CsvField& field : row) {
      const auto column = std::ranges::find(columns, field.text, &Column::name);
      if (column == columns.end())
        reader_.error(place(field),
                      fmt::format("'{}' is not one of the columns {}{}", field.text.substr(0, 80),
                                  fmt::join(known, ", "), suggestion(field.text.substr(0, 80), known)));
      else if (std::ranges::find(columns_, column) != columns_.end())
        reader_.error(place(field), fmt::format("the column '{}' is there twice", field.text));
      else
        columns_.push_back(column);
    }
    return reader_.errors.size() == before;
  }

  void add_rule(const std::vector<table::CsvField>& row) {
    if (row.size() != columns_.size())
      return reader_.error(place(row[0].line, 1),
                           fmt::format("a row of {}: the first row names {}", counted(row.size(), "field"),
                                       counted(columns_.size(), "column")));
    const Node node = node_of(row);
    SenderRule& rule = rules_.emplace_back();
    config::read(reader_, node, rule);
    rule.file = config_.senders_file;
    check_sender(reader_, node, config_);
  }

  // At once, when their number is known: a list that grows would copy all of them, with their secrets, again
  // and again, and keep room for as many more.
  void hand_over() {
    config_.senders.reserve(config_.senders.size() + rules_.size());
    for (; !rules_.empty(); rules_.pop_front()) config_.senders.push_back(std::move(rules_.front()));
  }

  // The rule as it would stand in the configuration.
  Node node_of(const std::vector<table::CsvField>& row) const {
    Node node;
    node.kind = Node::Kind::map;
    node.place = place(row[0].line, 1);
    node.entries.reserve(row.size());
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (row[i].text.empty()) continue;
      const Column& column = *columns_[i];
      const Place here = place(row[i]);
      Node value = column.key == "upstream" ? upstreams(row[i]) : scalar(row[i].text, here);
      if (!column.way.empty()) value = map_of(column.way, std::move(value));
      if (node.has(column.key))
        reader_.error(here, fmt::format("'{}' has two values in this row", column.key));
      else
        node.entries.push_back({std::string(column.key), here, std::move(value)});
    }
    return node;
  }

  static Node scalar(std::string_view text, const Place& place) {
    Node node;
    node.kind = Node::Kind::scalar;
    node.place = place;
    node.text = text;
    return node;
  }

  static Node map_of(std::string_view key, Node value) {
    Node node;
    node.kind = Node::Kind::map;
    node.place = value.place;
    node.entries.push_back({std::string(key), node.place, std::move(value)});
    return node;
  }

  Node upstreams(const table::CsvField& field) const {
    const Place here = place(field);
    if (field.text.find(';') == std::string::npos) return scalar(field.text, here);
    Node node;
    node.kind = Node::Kind::list;
    node.place = here;
    std::string_view rest = field.text;
    for (bool more = true; more;) {
      const std::size_t end = rest.find(';');
      more = end != std::string_view::npos;
      node.items.push_back(scalar(ascii::trimmed(rest.substr(0, end), ascii::line_space), here));
      if (more) rest.remove_prefix(end + 1);
    }
    return node;
  }

  Reader& reader_;
  Config& config_;
  std::vector<const Column*> columns_;  // of the file
  std::deque<SenderRule> rules_;
};

}  // namespace

void read_senders_file(Reader& reader, const Node& root, Config& config) {
  if (config.senders_file.empty()) return;
  const Node& node = *root.find("senders_file");
  const std::size_t before = reader.errors.size();
  reader.require_private(node, config.senders_file);
  if (reader.errors.size() > before) return;
  Result<std::string> text = read_trusted(config.senders_file, longest);
  if (text) {
    SendersFile(reader, config).read(*text);
    wipe(*text);
  } else if (reader.demands_secrets()) {
    reader.error(node.place, text.error());
  } else {
    reader.warn(node.place, fmt::format("{}: the rules of this file are not known here", text.error()));
  }
}

}  // namespace relayd::config
