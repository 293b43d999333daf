#include "rewrite/header_addresses.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "rewrite/folding.hpp"
#include "shared/base/ascii.hpp"
#include "shared/mail/address.hpp"
#include "shared/mail/field.hpp"
#include "shared/mail/mailboxes.hpp"

namespace relayd::rewrite {

namespace {

constexpr std::string_view from_names[] = {"From",
                                           "Sender",
                                           "Reply-To",
                                           "Errors-To",
                                           "Return-Path",
                                           "Disposition-Notification-To",
                                           "Return-Receipt-To",
                                           "Mail-Followup-To",
                                           "Resent-From",
                                           "Resent-Sender"};
constexpr std::string_view to_names[] = {"To",        "Cc",        "Bcc",        "Apparently-To",
                                         "Resent-To", "Resent-Cc", "Resent-Bcc", "Resent-Reply-To"};

bool is_one_of(std::string_view name, const auto& names) {
  return std::ranges::any_of(
      names, [name](std::string_view known) { return ascii::equal_ignoring_case(name, known); });
}

// A mailbox of a field, and what its address becomes.
struct Place {
  mail::Mailbox mailbox;
  std::string_view old;  // the address
  std::optional<Rewriting::Mapped> mapped;

  std::string_view address() const { return mapped ? std::string_view(mapped->address) : old; }
  bool forced() const { return mapped && mapped->rule->keep_reply_to; }
};

// The comments in a text that has the words of an address beside them, each behind a blank.
std::string comments_in(std::string_view text) {
  std::string found;
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (depth == 0 && c == '"') quoted = !quoted;
    if (!quoted && c == '(' && depth++ == 0) found += ' ';
    if (depth > 0) found += c;
    if (!quoted && c == ')' && depth > 0) --depth;
    if (c != '\\' || (!quoted && depth == 0) || i + 1 == text.size()) continue;
    ++i;
    if (depth > 0) found += text[i];
  }
  return found;
}

// What comes in place of the address in the text.
std::string in_place_of(std::string_view body, const Place& place) {
  const std::string_view extent = body.substr(place.mailbox.begin, place.mailbox.end - place.mailbox.begin);
  std::string text(place.address());
  return extent == place.old ? text : text + comments_in(extent);
}

std::string with_line_end(std::string text) {
  return text.ends_with('\n') ? text : text + "\r\n";
}

class Header {
 public:
  Header(std::string_view block, const Rewriting& rewriting, Notes& notes)
      : block_(block), rewriting_(rewriting), notes_(notes) {
    each_field([this](const mail::Field& field, AddressClass) {
      has_reply_to_ |= field.is("Reply-To");
      has_resent_from_ |= field.is("Resent-From");
    });
  }

  std::optional<std::string> rewrite() {
    std::vector<mail::Field> senders;  // they may have to go, by what From becomes
    each_field([&](const mail::Field& field, AddressClass where) {
      if (field.is("Sender"))
        senders.push_back(field);
      else if (rewriting_.concern(where))
        change(field, where);
    });
    for (const mail::Field& field : senders) change_sender(field);
    if (changes_.empty()) return std::nullopt;
    return changed();
  }

 private:
  // What a field becomes, with its line end; empty: it goes.
  struct Change {
    mail::Field field;
    std::string text;
  };

  void each_field(const auto& visit) const {
    mail::for_each_field(block_, [&visit](const mail::Field& field) {
      if (const auto where = class_of(field.name)) visit(field, *where);
    });
  }

  // Only these say who it is from; the others say where replies go.
  bool can_be_forced(const mail::Field& field) const {
    if (field.is("Resent-From") || field.is("Resent-Sender")) return true;
    return !has_resent_from_ && (field.is("From") || field.is("Sender"));
  }

  std::vector<Place> places_of(const mail::Field& field, AddressClass where) {
    std::vector<Place> places;
    const bool can_be_forced = this->can_be_forced(field);
    for (mail::Mailbox& mailbox : mail::mailboxes(field.body)) {
      Place& place = places.emplace_back();
      place.mailbox = std::move(mailbox);
    }
    for (Place& place : places) {
      place.old = place.mailbox.address.empty() ? place.mailbox.obsolete : place.mailbox.address;
      place.mapped = rewriting_.map(where, place.old, notes_);
      if (place.forced() && !can_be_forced) place.mapped.reset();
    }
    return places;
  }

  // The body of a field with other addresses, and nothing else.
  static std::string replaced(const mail::Field& field, const std::vector<Place>& places) {
    std::string text;
    std::size_t done = 0;
    for (const Place& place : places) {
      if (!place.mapped) continue;
      text += field.body.substr(done, place.mailbox.begin - done);
      text += in_place_of(field.body, place);
      done = place.mailbox.end;
    }
    return text.append(field.body.substr(done));
  }

  // The same of a list whose mailboxes have become one: the first.
  static std::string united(const mail::Field& field, const Place& first) {
    std::string text;
    const std::string_view mailbox = first.mailbox.text;
    const auto begin = static_cast<std::size_t>(mailbox.data() - field.body.data());
    text += ' ';
    text += field.body.substr(begin, first.mailbox.begin - begin);
    text += in_place_of(field.body, first);
    text += field.body.substr(first.mailbox.end, begin + mailbox.size() - first.mailbox.end);
    return with_line_end(std::move(text));
  }

  void change(const mail::Field& field, AddressClass where) {
    const std::vector<Place> places = places_of(field, where);
    const auto first = std::ranges::find_if(places, [](const Place& place) { return bool(place.mapped); });
    if (first == places.end()) return;
    const bool forced = std::ranges::any_of(places, &Place::forced);
    const bool one = std::ranges::all_of(places, [&](const Place& place) {
      return !place.address().empty() && place.address() == places.front().address();
    });
    const bool unite = forced && one && places.size() > 1;
    const std::string_view name = field.whole.substr(0, field.whole.size() - field.body.size());
    const std::string body = unite ? united(field, places.front()) : replaced(field, places);
    std::optional<std::string> text = fitted(std::string(name) + body);
    if (!text) return note(notes_, *first->mapped->rule, Left::line, first->old);
    if (forced && field.is("From")) {
      const std::optional<std::string> reply_to = as_reply_to(field, places);
      if (!reply_to) return note(notes_, *first->mapped->rule, Left::line, first->old);
      if (!reply_to->empty()) text = with_line_end(std::move(*text)) + *reply_to;
      has_reply_to_ = true;
      new_from_ = one ? std::string(first->address()) : std::string();
    }
    changes_.push_back({field, std::move(*text)});
  }

  // A Reply-To with the mailboxes of this From, those that were not forced as they have become; empty where
  // there is one already; nothing: it does not fit. Of several From fields the first is kept so: a message
  // has one (RFC 5322 3.6).
  std::optional<std::string> as_reply_to(const mail::Field& from, std::vector<Place> places) const {
    if (has_reply_to_) return "";
    for (Place& place : places)
      if (place.forced()) place.mapped.reset();
    const char first = from.body.empty() ? ' ' : from.body.front();
    const bool apart = first == ' ' || first == '\t' || first == '\r';
    return fitted(with_line_end((apart ? "Reply-To:" : "Reply-To: ") + replaced(from, places)));
  }

  // RFC 5322 3.6.2: a Sender that equals the From should not be there.
  void change_sender(const mail::Field& field) {
    if (!rewriting_.concern(AddressClass::from_fields)) return;
    const std::vector<Place> places = places_of(field, AddressClass::from_fields);
    if (!new_from_.empty() && places.size() == 1 &&
        ascii::equal_ignoring_case(places.front().address(), new_from_))
      changes_.push_back({field, {}});
    else
      change(field, AddressClass::from_fields);
  }

  std::string changed() {
    std::ranges::sort(changes_, {}, [](const Change& change) { return change.field.whole.data(); });
    std::string result;
    std::size_t done = 0;
    for (const Change& change : changes_) {
      const auto begin = static_cast<std::size_t>(change.field.whole.data() - block_.data());
      result += block_.substr(done, begin - done);
      result += change.text;
      done = begin + change.field.whole.size();
    }
    return result.append(block_.substr(done));
  }

  std::string_view block_;
  const Rewriting& rewriting_;
  Notes& notes_;
  bool has_reply_to_ = false;  // or is given one
  bool has_resent_from_ = false;
  std::vector<Change> changes_;
  std::string new_from_;  // what From has been forced to, if that is one address
};

}  // namespace

std::optional<AddressClass> class_of(std::string_view field_name) {
  if (is_one_of(field_name, from_names)) return AddressClass::from_fields;
  if (is_one_of(field_name, to_names)) return AddressClass::to_fields;
  return std::nullopt;
}

std::optional<std::string> with_addresses(std::string_view header, const Rewriting& rewriting, Notes& notes) {
  return Header(header, rewriting, notes).rewrite();
}

}  // namespace relayd::rewrite
