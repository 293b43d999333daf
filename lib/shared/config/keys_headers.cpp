// The keys of header rules: `headers` at the top, in an upstream and in a rule of `senders`.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "shared/base/ascii.hpp"
#include "shared/config/keys.hpp"
#include "shared/config/value.hpp"
#include "shared/mail/field.hpp"

namespace relayd::config {

namespace {

constexpr std::size_t longest_name = 76;
constexpr std::size_t longest_word = 900;  // of a field that cannot be encoded; a line has 998 octets

// Fields that stay as they are; a '*' at the end of a name stands for anything.
struct Protected {
  std::string_view name;
  std::string_view why;
  bool may_be_removed = false;
};
constexpr Protected protected_fields[] = {
    {"From", "it says who wrote the message"},
    {"Received", "a relay keeps the trace (RFC 5321 4.4)"},
    {"DKIM-Signature", "it is the signature of whoever made it"},
    {"Return-Path", "final delivery writes it (RFC 5321 4.4)"},
    {"Content-*", "the body is read by it"},
    {"MIME-Version", "the body is read by it"},
    {"Resent-*", "such fields belong together (RFC 5322 3.6.6)"},
    {"Bcc", "it would show who is not to be seen", true},
    {"X-Relayd-Tag", "it becomes the provider's field before these rules: name that one"},
    {"X-Relayd-Stream", "it becomes the provider's field before these rules: name that one"},
};

// Fields with a syntax of their own (RFC 5322 3.6, 2369 and others), where no encoded word may stand
// anywhere.
constexpr std::string_view structured_fields[] = {
    "Date",     "Sender",     "Reply-To",       "To",
    "Cc",       "Message-ID", "In-Reply-To",    "References",
    "Keywords", "List-*",     "Auto-Submitted", "Disposition-Notification-To",
};

bool is_structured(std::string_view name) {
  return std::ranges::any_of(structured_fields,
                             [name](std::string_view one) { return mail::field_names_may_meet(name, one); });
}

// What is wrong with a name; empty: nothing.
std::string fault_of_name(std::string_view name, bool removed) {
  const auto fits = [](char c) { return c > ' ' && c <= '~' && c != ':'; };
  if (!std::ranges::all_of(name, fits) || name.size() > longest_name)
    return fmt::format(
        "'{}' is not the name of a header field: printable ASCII without blanks and ':', of up "
        "to {} characters",
        name, longest_name);
  const std::size_t star = name.find('*');
  if (star != std::string_view::npos && !removed)
    return fmt::format("'{}' names many fields: only 'remove' may have a '*'", name);
  if (star < name.size() - 1) return fmt::format("'{}': a '*' stands at the end of a name only", name);
  for (const Protected& field : protected_fields) {
    if (!mail::field_names_may_meet(name, field.name) || (removed && field.may_be_removed)) continue;
    if (removed && star != std::string_view::npos)
      return fmt::format("'{}' would remove {}: {}", name, field.name, field.why);
    return fmt::format("{} may not be {}: {}", name, removed ? "removed" : "set", field.why);
  }
  return {};
}

// What is wrong with the value of a field; empty: nothing.
std::string fault_of_value(std::string_view name, std::string_view value) {
  if (value.find_first_not_of(' ') == std::string_view::npos) return "a value of blanks alone";
  if (!is_structured(name)) return {};
  if (!ascii::all_ascii(value))
    return fmt::format(
        "{} has a syntax of its own: write its value in ASCII, a name in it as an encoded word "
        "(RFC 2047)",
        name);
  for (std::size_t begin = 0; begin < value.size();) {
    const std::size_t end = std::min(value.find(' ', begin), value.size());
    if (end - begin > longest_word) return fmt::format("a word of more than {} octets", longest_word);
    begin = end + 1;
  }
  return {};
}

void read_remove(Reader& reader, const Node& node, HeaderRules& rules) {
  const auto add = [&](const Node& item) {
    std::string name;
    read(reader, item, name);
    if (name.empty()) return;
    std::string fault = fault_of_name(name, true);
    if (!fault.empty()) return reader.error(item.place, std::move(fault));
    rules.remove.push_back(std::move(name));
  };
  if (node.kind == Node::Kind::scalar) return add(node);
  if (!expect_list(reader, node)) return;
  for (const Node& item : node.items) add(item);
}

// A map from names to values.
template <std::vector<HeaderField> HeaderRules::*field>
void read_fields(Reader& reader, const Node& node, HeaderRules& rules) {
  if (!expect_map(reader, node)) return;
  for (const Entry& entry : node.entries) {
    std::string value;
    read(reader, entry.value, value);
    std::string fault = entry.key.empty() ? "a field without a name" : fault_of_name(entry.key, false);
    if (!fault.empty()) {
      reader.error(entry.place, std::move(fault));
    } else if (!value.empty()) {
      fault = fault_of_value(entry.key, value);
      if (!fault.empty()) reader.error(entry.value.place, std::move(fault));
    }
    (rules.*field).push_back({entry.key, std::move(value)});
  }
}

void read_prefix(Reader& reader, const Node& node, HeaderRules& rules) {
  read(reader, node, rules.subject_prefix);
  if (!rules.subject_prefix.empty() && rules.subject_prefix.find_first_not_of(' ') == std::string::npos)
    reader.error(node.place, "a prefix of blanks alone");
}

// One name has one value: in `set` and `default` together, in any case of letters.
void check_doubles(Reader& reader, const Node& node) {
  std::map<std::string, int> lines;
  for (const std::string_view key : {"set", "default"}) {
    const Node* const fields = node.find(key);
    if (!fields) continue;
    for (const Entry& entry : fields->entries) {
      const auto [first, fresh] = lines.emplace(ascii::lower(entry.key), entry.place.where.line);
      if (!fresh)
        reader.error(entry.place, fmt::format("'{}' has two values here (the first in line {}): one of 'set' "
                                              "and 'default' names a field, once",
                                              entry.key, first->second));
    }
  }
}

}  // namespace

static constexpr auto words_of(ReceivedForm) {
  return std::to_array<Word<ReceivedForm>>({{"full", ReceivedForm::full}, {"masked", ReceivedForm::masked}});
}

const Keys<HeaderRules>& keys_of(const HeaderRules*) {
  static const Keys<HeaderRules> keys = {
      {"remove", read_remove},
      {"set", read_fields<&HeaderRules::set>},
      {"default", read_fields<&HeaderRules::set_missing>},
      {"subject_prefix", read_prefix},
      key("received", &HeaderRules::received),
  };
  return keys;
}

void read_headers(Reader& reader, const Node& node, HeaderRules& rules) {
  read(reader, node, rules);
  check_doubles(reader, node);
}

}  // namespace relayd::config
