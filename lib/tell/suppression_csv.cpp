// The list of suppressed recipients as comma-separated values.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "shared/base/ascii.hpp"
#include "shared/base/counted.hpp"
#include "shared/table/csv.hpp"
#include "tell/suppression.hpp"

namespace relayd::tell {

namespace {

using table::CsvField;
using table::Fault;

enum Column { address, sender, since, until, reason, columns };
constexpr std::array<std::string_view, columns> names = {"address", "sender", "since", "until", "reason"};
// The place of each column in a row; nothing: the text does not have it.
using Places = std::array<std::optional<std::size_t>, columns>;

constexpr Places usual_places = {0, 1, 2, 3, 4};

// Exactly this many digits.
std::optional<unsigned> number(std::string_view text, std::size_t at, std::size_t digits) {
  const std::string_view part = text.substr(std::min(at, text.size()), digits);
  unsigned value = 0;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
  if (part.size() != digits || error != std::errc() || end != part.data() + part.size()) return std::nullopt;
  return value;
}

std::string_view text_of(const std::vector<CsvField>& row, const Places& places, Column column) {
  const std::optional<std::size_t> place = places[column];
  return place ? std::string_view(row[*place].text) : std::string_view();
}

// Names in `fault` the column that an error is about.
Result<Suppression> read_row(const std::vector<CsvField>& row, const Places& places,
                             const RowDefaults& defaults, Column& fault) {
  Second begins = defaults.since;
  if (const std::string_view text = text_of(row, places, since); !text.empty()) {
    fault = since;
    const Result<Second> parsed = parse_second(text);
    if (!parsed) return Error{parsed.error()};
    begins = *parsed;
  }
  Second ends = begins + defaults.keep;
  if (const std::string_view text = text_of(row, places, until); !text.empty()) {
    fault = until;
    const Result<Second> parsed = parse_second(text);
    if (!parsed) return Error{parsed.error()};
    ends = *parsed;
  }
  fault = address;
  return make_suppression(text_of(row, places, address), text_of(row, places, sender), begins, ends,
                          text_of(row, places, reason));
}

std::optional<Places> read_header(const std::vector<CsvField>& row, std::vector<Fault>& faults) {
  Places places;
  const std::size_t before = faults.size();
  for (std::size_t i = 0; i < row.size(); ++i) {
    const auto found = std::ranges::find_if(
        names, [&](std::string_view name) { return ascii::equal_ignoring_case(name, row[i].text); });
    if (found == names.end()) {
      faults.push_back({row[i].line, row[i].column,
                        fmt::format("no column '{}': they are {}", smtp::escape(row[i].text, 64),
                                    fmt::join(names, ", "))});
      continue;
    }
    std::optional<std::size_t>& place = places[static_cast<std::size_t>(found - names.begin())];
    if (place)
      faults.push_back({row[i].line, row[i].column, fmt::format("the column '{}' is there twice", *found)});
    place = i;
  }
  if (faults.size() == before && !places[address])
    faults.push_back({row[0].line, 1, "the first row names the columns, and has no 'address'"});
  return faults.size() == before ? std::optional(places) : std::nullopt;
}

}  // namespace

std::string to_text(Second second) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", second);
}

Result<Second> parse_second(std::string_view text) {
  const Error error{
      fmt::format("'{}' is no time such as 2026-11-20 or 2026-11-20T07:31:42Z", smtp::escape(text, 64))};
  const auto year = number(text, 0, 4), month = number(text, 5, 2), day = number(text, 8, 2);
  const bool has_time = text.size() > 10;
  if (!year || !month || !day || text[4] != '-' || text[7] != '-') return error;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(*month), std::chrono::day(*day)};
  if (!date.ok() || *year < 1970 || *year > 2106) return error;
  const Second midnight = std::chrono::sys_days(date);
  if (!has_time) return midnight;
  const auto hour = number(text, 11, 2), minute = number(text, 14, 2), second = number(text, 17, 2);
  if (text.size() != 20 || text[10] != 'T' || text[13] != ':' || text[16] != ':' || text[19] != 'Z')
    return error;
  if (!hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 59) return error;
  return midnight + std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second);
}

void append_row(std::string& text, const Suppression& suppression) {
  table::append_field(text, suppression.recipient);
  text += ',';
  table::append_field(text, suppression.sender);
  text += ',' + to_text(suppression.since) + ',' + to_text(suppression.until) + ',';
  table::append_field(text, suppression.reason);
  text += '\n';
}

Result<Suppression> parse_row(std::string_view line, const RowDefaults& defaults) {
  std::vector<Fault> faults;
  std::vector<CsvField> row;
  table::Csv csv(line);
  if (!csv.next(row, faults)) return Error{faults.empty() ? "an empty line" : faults.front().text};
  if (row.size() != columns)
    return Error{fmt::format("a row has {}, not {}", counted(+columns, "field"), row.size())};
  Column fault{};
  return read_row(row, usual_places, defaults, fault);
}

SuppressionRows parse_suppressions(std::string_view text, const RowDefaults& defaults) {
  SuppressionRows result;
  std::vector<Fault>& faults = result.faults;
  std::vector<CsvField> row;
  table::Csv csv(text);
  const bool any = csv.next(row, faults);
  if (!any && faults.empty()) faults.push_back({1, 1, "the text is empty: its first row names the columns"});
  if (!faults.empty()) return result;
  const std::size_t fields = row.size();
  const std::optional<Places> places = read_header(row, faults);
  if (!places) return result;
  while (faults.size() < table::most_faults && csv.next(row, faults)) {
    if (row.size() != fields) {
      faults.push_back({row[0].line, 1,
                        fmt::format("a row of {}: there are {}", counted(row.size(), "field"),
                                    counted(fields, "column"))});
      continue;
    }
    Column fault{};
    Result<Suppression> read = read_row(row, *places, defaults, fault);
    const CsvField& field = row[(*places)[fault].value_or(0)];
    if (read)
      result.rows.push_back(std::move(*read));
    else
      faults.push_back({field.line, field.column, read.error()});
  }
  return result;
}

}  // namespace relayd::tell
