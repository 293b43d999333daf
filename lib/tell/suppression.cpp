#include "tell/suppression.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/mail/a_label.hpp"
#include "shared/mail/address.hpp"
#include "shared/mail/lookup_key.hpp"
#include "shared/smtp/reply_class.hpp"

namespace relayd::tell {

namespace {

// RFC 3463 3.2: bad mailbox, bad system, bad syntax, moved; RFC 7505 4.2: a null MX. Not 5.1.0 and 5.1.4,
// which say nothing of the kind, and nothing said of the sender (5.1.7, 5.1.8).
bool has_code_of_unknown(const smtp::Reply& reply) {
  constexpr std::uint16_t details[] = {1, 2, 3, 6, 10};
  return reply.permanent() && reply.enhanced.status_class == 5 && reply.enhanced.subject == 1 &&
         std::ranges::find(details, reply.enhanced.detail) != std::end(details);
}

void blank(std::string& text, const std::string& part) {
  for (std::size_t at = text.find(part); !part.empty() && at != std::string::npos; at = text.find(part, at))
    text.replace(at, part.size(), " ");
}

// Servers refuse senders and addresses of clients at RCPT too, with codes that are meant for recipients. The
// recipient's own name says nothing: it may be policy@….
bool tells_of_another(const Outcome& outcome) {
  std::string text = ascii::lower(outcome.event.reply.text);
  for (const std::string_view sender : {outcome.from, outcome.sent_from})
    if (!sender.empty() && text.find(ascii::lower(sender)) != std::string::npos) return true;
  blank(text, ascii::lower(outcome.to));
  constexpr std::string_view words[] = {"sender", "blacklist", "blocklist", "blocked",
                                        "spam",   "policy",    "reputation"};
  return std::ranges::any_of(words,
                             [&text](std::string_view word) { return text.find(word) != std::string::npos; });
}

// What the reply says holds for the address that the upstream was given.
bool says_unknown(const Outcome& outcome) {
  return has_code_of_unknown(outcome.event.reply) && !tells_of_another(outcome) &&
         mail::lookup_key(outcome.sent_to) == mail::lookup_key(outcome.to);
}

std::uint32_t seconds_of(Second second) {
  constexpr std::int64_t last = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(second.time_since_epoch().count(), 0, last));
}

Second second_of(std::uint32_t seconds) {
  return Second(std::chrono::seconds(seconds));
}

}  // namespace

std::optional<Suppression> suppression_of(const Outcome& outcome, WallTime now, std::chrono::seconds keep) {
  const smtp::Event& event = outcome.event;
  if (outcome.fate != Fate::failed || event.trouble || event.stage != smtp::Stage::rcpt) return std::nullopt;
  const bool about_recipient = outcome.reply_class == to_string(smtp::ReplyClass::rcpt);
  const std::string domain = mail::folded_domain(outcome.from);
  if (!about_recipient || domain.empty() || !says_unknown(outcome)) return std::nullopt;
  const Second since = std::chrono::floor<std::chrono::seconds>(now);
  const Result<Suppression> made =
      make_suppression(outcome.to, domain, since, since + keep, smtp::one_line(event.reply, longest_reason));
  return made ? std::optional(*made) : std::nullopt;
}

Result<Suppression> make_suppression(std::string_view recipient, std::string_view sender, Second since,
                                     Second until, std::string_view reason) {
  using enum mail::AddressFault;
  const mail::AddressFault fault = mail::check_address(recipient, true);
  if (fault != none || mail::split(recipient).domain.empty())
    return Error{fmt::format("'{}' is no address such as ann@example.com", smtp::escape(recipient))};
  if (sender.starts_with('@')) sender.remove_prefix(1);
  if (!sender.empty() && mail::check_address("a@" + std::string(sender), true) != none)
    return Error{fmt::format("'{}' is no domain such as example.com", smtp::escape(sender))};
  std::string key = mail::lookup_key(recipient);
  std::string domain = mail::a_labels(sender);
  if (mail::check_address(key, true) != none)
    return Error{fmt::format("'{}' is too long with its domain as A-labels", smtp::escape(recipient))};
  if (!domain.empty() && mail::check_address("a@" + domain, true) != none)
    return Error{fmt::format("'{}' is too long as A-labels", smtp::escape(sender))};
  return Suppression{std::move(key), std::move(domain), second_of(seconds_of(since)),
                     second_of(seconds_of(until)), smtp::escape(reason, longest_reason)};
}

std::string refusal_text(std::string_view recipient, const Suppression& suppression) {
  std::string reason = suppression.reason.empty() ? "by the operator" : suppression.reason;
  std::ranges::replace_if(
      reason, [](char c) { return !ascii::is_ascii(c); }, '?');
  return fmt::format("<{}> is suppressed from {:%Y-%m-%d} to {:%Y-%m-%d}: {}", recipient, suppression.since,
                     suppression.until, reason);
}

// --- the list ---

SuppressionList::Key SuppressionList::key_of(const Entry& entry) {
  const char* const at = entry.texts.get();
  return {{at, entry.sender}, {at + entry.sender, entry.recipient}};
}

Suppression SuppressionList::read(const Entry& entry) {
  const auto [sender, recipient] = key_of(entry);
  return {std::string(recipient), std::string(sender), second_of(entry.since), second_of(entry.until),
          std::string(recipient.data() + recipient.size(), entry.reason)};
}

std::size_t SuppressionList::hash_of(const Key& key) noexcept {
  const std::hash<std::string_view> hash;
  return hash(key.recipient) * 31 + hash(key.sender);
}

std::size_t SuppressionList::put(const Suppression& suppression) {
  const Key key{suppression.sender, suppression.recipient};
  erase(key.sender, key.recipient);
  const std::size_t gone = size_ >= limit_ ? make_room() : 0;
  Entry entry;
  const auto length = [](const std::string& text) { return static_cast<std::uint16_t>(text.size()); };
  entry.since = seconds_of(suppression.since);
  entry.until = seconds_of(suppression.until);
  entry.sender = length(suppression.sender);
  entry.recipient = length(suppression.recipient);
  entry.reason = length(suppression.reason);
  const std::string texts = suppression.sender + suppression.recipient + suppression.reason;
  entry.texts = std::make_unique_for_overwrite<char[]>(texts.size());
  std::memcpy(entry.texts.get(), texts.data(), texts.size());
  slices_[slice_of(key)].insert(std::move(entry));
  ++size_;
  return gone;
}

bool SuppressionList::erase(std::string_view sender, std::string_view recipient) {
  const Key key{sender, recipient};
  Slice& slice = slices_[slice_of(key)];
  const auto found = slice.find(key);
  if (found == slice.end()) return false;
  slice.erase(found);
  --size_;
  return true;
}

std::optional<Suppression> SuppressionList::lookup(const Key& key, WallTime now) const {
  const Slice& slice = slices_[slice_of(key)];
  const auto found = slice.find(key);
  if (found == slice.end() || second_of(found->until) <= now) return std::nullopt;
  return read(*found);
}

std::optional<Suppression> SuppressionList::find(std::string_view sender, std::string_view recipient,
                                                 WallTime now) const {
  if (size_ == 0) return std::nullopt;
  const std::string wanted = mail::lookup_key(recipient);
  const std::string domain = mail::a_labels(sender);
  std::optional<Suppression> found;
  if (!domain.empty()) found = lookup({domain, wanted}, now);
  return found ? found : lookup({"", wanted}, now);
}

void SuppressionList::drop_expired(std::size_t slice, WallTime now) {
  size_ -= std::erase_if(slices_[slice], [now](const Entry& entry) { return second_of(entry.until) <= now; });
}

std::vector<Suppression> SuppressionList::slice(std::size_t slice) const {
  std::vector<Suppression> entries;
  entries.reserve(slices_[slice].size());
  for (const Entry& entry : slices_[slice]) entries.push_back(read(entry));
  return entries;
}

// The oldest hundredth.
std::size_t SuppressionList::make_room() {
  std::vector<std::uint32_t> times;
  times.reserve(size_);
  for (const Slice& slice : slices_)
    for (const Entry& entry : slice) times.push_back(entry.since);
  const std::size_t wanted = limit_ / 100 + 1;
  const auto last = times.begin() + static_cast<std::ptrdiff_t>(std::min(wanted, times.size()) - 1);
  std::ranges::nth_element(times, last);
  const std::uint32_t newest = *last;
  std::size_t older = static_cast<std::size_t>(
      std::count_if(times.begin(), last, [newest](std::uint32_t since) { return since < newest; }));
  std::size_t as_old = wanted - older;  // of those of that very second, so many
  std::size_t gone = 0;
  for (Slice& slice : slices_)
    gone += std::erase_if(slice, [&](const Entry& entry) {
      return entry.since < newest || (entry.since == newest && as_old > 0 && as_old-- > 0);
    });
  size_ -= gone;
  return gone;
}

}  // namespace relayd::tell
