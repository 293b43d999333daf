#include "rewrite/addresses.hpp"

#include <algorithm>

#include "rewrite/folding.hpp"
#include "shared/base/ascii.hpp"
#include "shared/mail/address.hpp"
#include "shared/mail/field.hpp"
#include "shared/mail/mailboxes.hpp"

namespace relayd::rewrite {

namespace {

bool has_addresses(std::string_view name) {
  constexpr std::string_view resent = "Resent-";
  constexpr std::string_view names[] = {"From", "Sender", "Reply-To", "To", "Cc", "Bcc"};
  if (ascii::equal_ignoring_case(name.substr(0, resent.size()), resent)) name.remove_prefix(resent.size());
  return std::ranges::any_of(
      names, [name](std::string_view known) { return ascii::equal_ignoring_case(name, known); });
}

// No line of a field becomes too long by what is put in at `places`.
bool lines_fit(std::string_view field, const std::vector<std::size_t>& places, std::size_t octets) {
  for (auto place = places.begin(); place != places.end();) {
    const std::size_t begin = field.rfind('\n', *place) + 1;  // none: 0
    const std::size_t end = std::min(field.find('\r', *place), field.size());
    const auto next = std::upper_bound(place, places.end(), end);
    if (end - begin + static_cast<std::size_t>(next - place) * octets > max_line) return false;
    place = next;
  }
  return true;
}

// At a glance, in a list without quotes, comments and groups, as most are: each mailbox has its '@', within
// its brackets if it has any.
bool surely_complete(std::string_view body) {
  bool blank = true;
  bool has_at = false;
  for (const char c : body) {
    if (c == '"' || c == '(' || c == ':' || c == ';') return false;
    if ((c == '>' || (c == ',' && !blank)) && !has_at) return false;
    if (c == ',') blank = true;
    if (c == ',' || c == '<') has_at = false;
    if (c == '@') has_at = true;
    if (c > ' ' && c != ',') blank = false;
  }
  return blank || has_at;
}

std::vector<std::size_t> missing_in(std::string_view body) {
  std::vector<std::size_t> places;
  if (surely_complete(body)) return places;
  for (const mail::Mailbox& mailbox : mail::mailboxes(body))
    if (!mailbox.address.empty() && mail::split(mailbox.address).domain.empty())
      places.push_back(mailbox.end);
  return places;
}

}  // namespace

std::vector<std::size_t> missing_domains(std::string_view header, std::size_t octets) {
  std::vector<std::size_t> found;
  mail::for_each_field(header, [&](const mail::Field& field) {
    if (!has_addresses(field.name)) return;
    std::vector<std::size_t> places = missing_in(field.body);
    const auto before_body = static_cast<std::size_t>(field.body.data() - field.whole.data());
    for (std::size_t& place : places) place += before_body;
    if (!lines_fit(field.whole, places, octets)) return;
    const auto before_field = static_cast<std::size_t>(field.whole.data() - header.data());
    for (const std::size_t place : places) found.push_back(before_field + place);
  });
  return found;
}

std::optional<std::string> with_domains(std::string_view header, std::string_view domain) {
  const std::vector<std::size_t> places = missing_domains(header, domain.size());
  if (places.empty()) return std::nullopt;
  std::string completed;
  completed.reserve(header.size() + places.size() * domain.size());
  std::size_t written = 0;
  for (const std::size_t place : places) {
    completed.append(header.substr(written, place - written)).append(domain);
    written = place;
  }
  completed.append(header.substr(written));
  return completed;
}

}  // namespace relayd::rewrite
