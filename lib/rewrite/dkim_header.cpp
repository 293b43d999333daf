#include "rewrite/dkim_header.hpp"

#include <algorithm>
#include <iterator>

#include "shared/base/ascii.hpp"
#include "shared/mail/field.hpp"

namespace relayd::rewrite {

namespace {

struct Row {
  std::string_view name;
  bool once_more;  // nobody may add one: readers would show that
};

// In the order of h=. Nothing that a hop adds or changes (RFC 6376 5.4.1): no Received, no Return-Path; and
// no other signature, each stands without the others.
constexpr Row rows[] = {
    {"From", true},         {"Sender", true},       {"Reply-To", true},
    {"Subject", true},      {"Date", true},         {"Message-ID", true},
    {"To", true},           {"Cc", true},           {"MIME-Version", true},
    {"Content-Type", true}, {"Content-ID", false},  {"Content-Transfer-Encoding", false},
    {"References", false},  {"In-Reply-To", false},
};
constexpr std::size_t family_rank = std::size(rows);  // Resent-* and List-*, behind them
constexpr std::size_t no_rank = family_rank + 1;

struct Found {
  std::size_t rank;
  std::string_view name;
  std::string_view whole;
};

// A name of a family may stand in h= (its ';' would end the tag), and on one of its lines.
bool is_short_word(std::string_view name) {
  constexpr std::size_t longest = 60;
  return name.size() <= longest && std::ranges::all_of(name, [](char c) {
           return ascii::is_letter(c) || ascii::is_digit(c) || c == '-' || c == '_';
         });
}

// Of Resent-* every block is signed: a field of the newest one is found only when those below it are counted
// (RFC 6376 5.4.2).
bool is_of_family(std::string_view name) {
  const auto begins = [name](std::string_view prefix) {
    return name.size() > prefix.size() && ascii::equal_ignoring_case(name.substr(0, prefix.size()), prefix);
  };
  if (!begins("List-") && !begins("Resent-")) return false;
  return !ascii::equal_ignoring_case(name, "Resent-Bcc") && is_short_word(name);
}

bool is_among(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::any_of(
      names, [name](std::string_view other) { return ascii::equal_ignoring_case(name, other); });
}

std::size_t rank_of(std::string_view name) {
  const auto* const row =
      std::ranges::find_if(rows, [name](const Row& r) { return ascii::equal_ignoring_case(name, r.name); });
  if (row != std::end(rows)) return static_cast<std::size_t>(row - rows);
  return is_of_family(name) ? family_rank : no_rank;
}

bool comes_first(const Found& a, const Found& b) {
  if (a.rank != b.rank) return a.rank < b.rank;
  const auto less = [](char x, char y) { return ascii::lower(x) < ascii::lower(y); };
  if (std::ranges::lexicographical_compare(a.name, b.name, less)) return true;
  if (std::ranges::lexicographical_compare(b.name, a.name, less)) return false;
  return a.whole.data() > b.whole.data();  // the lower one
}

std::vector<Found> found_in(std::string_view header, std::span<const std::string_view> unsigned_names) {
  std::vector<Found> found;
  mail::for_each_field(header, [&](const mail::Field& field) {
    const std::size_t rank = rank_of(field.name);
    const bool left_out = rank != 0 && is_among(field.name, unsigned_names);
    if (rank != no_rank && !left_out) found.push_back({rank, field.name, field.whole});
  });
  std::ranges::sort(found, comes_first);
  return found;
}

}  // namespace

std::vector<SignedField> signed_fields(std::string_view header,
                                       std::span<const std::string_view> unsigned_names) {
  const std::vector<Found> found = found_in(header, unsigned_names);
  std::vector<SignedField> fields;
  fields.reserve(found.size() + std::size(rows));
  auto next = found.begin();
  for (std::size_t rank = 0; rank <= family_rank; ++rank) {
    for (; next != found.end() && next->rank == rank; ++next)
      fields.push_back({rank == family_rank ? next->name : rows[rank].name, next->whole});
    if (rank == family_rank || !rows[rank].once_more) continue;
    if (rank == 0 || !is_among(rows[rank].name, unsigned_names)) fields.push_back({rows[rank].name, {}});
  }
  return fields;
}

std::vector<SignedField> fields_of_list(std::string_view header, std::span<const std::string_view> names) {
  std::vector<mail::Field> left;
  mail::for_each_field(header, [&](const mail::Field& field) { left.push_back(field); });
  std::vector<SignedField> fields;
  for (const std::string_view name : names) {
    const auto lowest = std::find_if(left.rbegin(), left.rend(), [&](const auto& f) { return f.is(name); });
    fields.push_back({name, lowest == left.rend() ? std::string_view() : lowest->whole});
    if (lowest != left.rend()) left.erase(std::next(lowest).base());
  }
  return fields;
}

void append_relaxed(std::string& out, std::string_view field) {
  const std::size_t colon = std::min(field.find(':'), field.size());
  const std::size_t name_end = field.substr(0, colon).find_last_not_of(ascii::white_space) + 1;
  for (const char c : field.substr(0, name_end)) out += ascii::lower(c);
  out += ':';
  bool space = false;
  bool text = false;
  for (std::size_t i = colon + 1; i < field.size(); ++i) {
    if (field.substr(i, 2) == "\r\n") {
      ++i;  // what follows is white space, or nothing
    } else if (ascii::is_blank(field[i])) {
      space = true;
    } else {
      if (space && text) out += ' ';
      out += field[i];
      space = false;
      text = true;
    }
  }
  out += "\r\n";
}

std::string relaxed(std::span<const SignedField> fields) {
  std::size_t octets = 0;
  for (const SignedField& field : fields) octets += field.whole.size() + 2;
  std::string text;
  text.reserve(octets);
  for (const SignedField& field : fields)
    if (!field.whole.empty()) append_relaxed(text, field.whole);
  return text;
}

}  // namespace relayd::rewrite
