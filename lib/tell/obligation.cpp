#include "tell/obligation.hpp"

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/mail/field.hpp"
#include "shared/mail/lookup_key.hpp"

namespace relayd::tell {

namespace {

// Whether a list such as "SUCCESS,DELAY" has the word.
bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (ascii::equal_ignoring_case(list.substr(0, comma), word)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

// The first word of a field's body, without comments before it and parameters behind it.
std::string_view first_word(std::string_view body) {
  body = ascii::trimmed(body, ascii::white_space);
  while (body.starts_with('(')) {
    body.remove_prefix(std::min(body.find(')'), body.size() - 1) + 1);
    body = ascii::trimmed(body, ascii::white_space);
  }
  return body.substr(0, body.find_first_of(" \t\r\n;("));
}

void add_once(std::vector<std::string>& addresses, std::string_view address) {
  if (std::ranges::find(addresses, mail::lookup_key(address), mail::lookup_key) == addresses.end())
    addresses.emplace_back(address);
}

}  // namespace

bool is_owed(Reported::Kind kind, const mail::Recipient& recipient) {
  switch (kind) {
    case Reported::Kind::failed:
      return recipient.notify.empty() || has_word(recipient.notify, "FAILURE");
    case Reported::Kind::delayed:
      return recipient.notify.empty() || has_word(recipient.notify, "DELAY");
    case Reported::Kind::relayed:
    case Reported::Kind::delivered:
    case Reported::Kind::expanded:
      return has_word(recipient.notify, "SUCCESS");
  }
  return false;
}

HeaderMarks header_marks(std::string_view header) {
  HeaderMarks marks;
  mail::for_each_field(header, [&marks](const mail::Field& field) {
    const std::string_view word = first_word(field.body);
    if (field.is("Auto-Submitted") && !ascii::equal_ignoring_case(word, "no")) {
      marks.automatic = true;
      marks.auto_replied = marks.auto_replied || ascii::equal_ignoring_case(word, "auto-replied");
    } else if (field.is("Precedence")) {
      for (const std::string_view bulk : {"bulk", "list", "junk"})
        marks.bulk = marks.bulk || ascii::equal_ignoring_case(word, bulk);
    } else if (field.is("List-Id")) {
      marks.bulk = true;
    }
  });
  return marks;
}

std::string_view without_route(std::string_view reverse_path) {
  if (!reverse_path.starts_with('@')) return reverse_path;
  bool literal = false;  // "[IPv6:…]"
  for (std::size_t i = 0; i < reverse_path.size(); ++i) {
    const char c = reverse_path[i];
    if (c == '[' || c == ']') literal = c == '[';
    if (c == ':' && !literal) return reverse_path.substr(i + 1);
  }
  return reverse_path;
}

bool is_told_of(Reported::Kind kind, const mail::Envelope& envelope, std::string_view bounce_from,
                const HeaderMarks& marks) {
  const std::string_view sender = without_route(envelope.sender);
  if (sender.empty() || envelope.report || marks.auto_replied) return false;
  if (mail::lookup_key(sender) == mail::lookup_key(bounce_from)) return false;
  return kind != Reported::Kind::delayed || !(marks.automatic || marks.bulk);
}

std::vector<std::string> addressees(const config::Bounce& bounce, Reported::Kind kind,
                                    const mail::Envelope& envelope, const HeaderMarks& marks) {
  std::vector<std::string> result;
  if (envelope.report) return result;
  if (bounce.to_sender && is_told_of(kind, envelope, bounce.from, marks))
    result.emplace_back(without_route(envelope.sender));
  const bool withheld = kind == Reported::Kind::delayed && (marks.automatic || marks.bulk);
  if ((kind == Reported::Kind::failed || kind == Reported::Kind::delayed) && !withheld)
    for (const std::string& address : bounce.to) add_once(result, address);
  return result;
}

}  // namespace relayd::tell
