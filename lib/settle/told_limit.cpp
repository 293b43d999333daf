#include "settle/told_limit.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "shared/base/ascii.hpp"

namespace relayd::settle {

namespace {

using namespace std::chrono_literals;
using config::Counted;
using config::Rate;
using smtp::Cap;
using Names = std::span<const std::string_view>;

constexpr std::uint32_t largest = 1'000'000;  // no limit that anybody meets

constexpr std::string_view message_names[] = {"message",     "messages",    "mail",   "mails",
                                              "email",       "emails",      "e-mail", "e-mails",
                                              "transaction", "transactions"};
constexpr std::string_view recipient_names[] = {"recipient", "recipients", "rcpt", "rcpts", "addresses"};
constexpr std::string_view connection_names[] = {"connection", "connections", "session", "sessions"};
constexpr std::string_view adjectives[] = {"concurrent", "simultaneous", "parallel", "open",
                                           "active",     "smtp",         "sent"};
// In front of a limit's number; "is" and "of" may stand between.
constexpr std::string_view leads[] = {"limit", "limited", "limits", "maximum", "max",     "most",
                                      "than",  "only",    "up",     "=",       "allowed", "exceeded"};
constexpr std::string_view fillers[] = {"is", "of", "to", "the", ":"};
// Behind a number that a lead has named.
constexpr std::string_view followers[] = {"per", "for", "from", "in", "reached", "exceeded", "allowed", "/"};
constexpr std::string_view each[] = {"per", "/", "a", "an", "each", "every", "one"};
constexpr std::string_view of_somebody[] = {
    "per recipient", "same recipient", "this recipient", "one recipient", "a recipient", "per sender",
    "this sender",   "same sender",    "per domain",     "this domain",   "same domain", "mailbox",
    "destination",   "per user",       "this user",      "this address"};

struct Unit {
  std::string_view name;
  std::chrono::seconds period;
};
constexpr Unit units[] = {{"second", 1s}, {"sec", 1s},  {"s", 1s},  {"minute", 1min}, {"min", 1min},
                          {"m", 1min},    {"hour", 1h}, {"hr", 1h}, {"h", 1h}};

bool is_one(std::string_view word, Names names) {
  return std::ranges::find(names, word) != names.end();
}

Names names_for(Cap cap) {
  switch (cap) {
    case Cap::messages_per_connection:
      return message_names;
    case Cap::recipients_per_connection:
    case Cap::recipients_per_message:
      return recipient_names;
    default:
      return connection_names;
  }
}

// Words in lower case without what surrounds them; '/', '=' and ':' are words, and an end is an empty one.
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(std::exchange(word, {}));
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = ascii::lower(text[i]);
    const bool inside =
        i + 1 < text.size() && (ascii::is_digit(text[i + 1]) || ascii::is_letter(text[i + 1]));
    if (ascii::is_letter(c) || ascii::is_digit(c) || c == '_' || !ascii::is_ascii(c) ||
        ((c == '.' || c == ':' || c == '-' || c == ',' || c == '@' || c == '#') && !word.empty() && inside)) {
      word += c;
      continue;
    }
    end_word();
    if (c == '/' || c == '=' || c == ':') words.emplace_back(1, c);
    if (c == ',' || c == '.' || c == ';' || c == ')' || c == '(') words.emplace_back();
    if (c == '-' || c == '#' || c == '@') word = c;  // "-5", "#5" are no numbers
  }
  end_word();
  return words;
}

// "100", "1,000"; 0: it is none.
std::uint32_t number_of(std::string word) {
  if (const std::size_t comma = word.find(','); comma != std::string::npos && word.size() - comma == 4)
    word.erase(comma, 1);
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  const bool whole = error == std::errc{} && end == word.data() + word.size();
  return whole && number <= largest ? number : 0;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : words_(split(text)) {}

  std::size_t size() const { return words_.size(); }
  std::uint32_t number_at(std::size_t i) const { return number_of(words_[i]); }
  std::string_view at(std::size_t i) const { return i < words_.size() ? words_[i] : std::string_view(); }

  // "100 recipients", "10 concurrent SMTP connections"
  bool counts(std::size_t i, Names names) const {
    for (++i; is_one(at(i), adjectives);) ++i;
    return is_one(at(i), names);
  }
  // "limit is 100", "max. 100 per …": what stands in front of it, and from `behind` on nothing that is
  // counted.
  bool is_led(std::size_t i, std::size_t behind) const {
    if (!at(behind).empty() && !is_one(at(behind), followers)) return false;
    while (i > 0 && (is_one(words_[i - 1], fillers) || words_[i - 1].empty())) --i;
    return i > 0 && is_one(words_[i - 1], leads);
  }
  // "per hour", "/h", "a minute", from this word on.
  std::optional<std::chrono::seconds> period_at(std::size_t i) const {
    if (!is_one(at(i), each)) return std::nullopt;
    for (const auto& [name, period] : units)
      if (at(i + 1) == name) return period;
    return std::nullopt;
  }
  // "10 connections per second", "5 / minute"
  bool is_rate(std::size_t i) const {
    for (++i; is_one(at(i), adjectives) || is_one(at(i), message_names) || is_one(at(i), recipient_names) ||
              is_one(at(i), connection_names);)
      ++i;
    return period_at(i).has_value();
  }
  bool speaks_of(Names names) const {
    return std::ranges::any_of(words_, [names](const std::string& word) { return is_one(word, names); });
  }

 private:
  std::vector<std::string> words_;
};

Rate rate_of(const Reader& reader, std::uint32_t count, std::chrono::seconds period) {
  const bool messages = reader.speaks_of(message_names) && !reader.speaks_of(recipient_names);
  return {count, period, messages ? Counted::messages : Counted::recipients};
}

}  // namespace

std::uint32_t told_count(std::string_view words, Cap cap) {
  const Reader reader(words);
  std::uint32_t least = 0;
  for (std::size_t i = 0; i < reader.size(); ++i) {
    const std::uint32_t number = reader.number_at(i);
    if (number == 0 || (!reader.counts(i, names_for(cap)) && !reader.is_led(i, i + 1))) continue;
    if (reader.is_rate(i)) continue;  // so many in a time are another matter
    least = least == 0 ? number : std::min(least, number);
  }
  return least;
}

std::optional<Rate> told_rate(std::string_view words) {
  for (const std::string_view somebody : of_somebody)
    if (ascii::contains_ignoring_case(words, somebody)) return std::nullopt;
  const Reader reader(words);
  std::uint32_t led = 0;
  std::optional<std::chrono::seconds> named;
  for (std::size_t i = 0; i < reader.size(); ++i) {
    if (reader.at(i) == "per") named = named ? named : reader.period_at(i);
    const std::uint32_t number = reader.number_at(i);
    if (number == 0) continue;
    std::size_t behind = i + 1;
    while (is_one(reader.at(behind), adjectives) || is_one(reader.at(behind), message_names) ||
           is_one(reader.at(behind), recipient_names))
      ++behind;
    if (reader.is_led(i, behind)) led = number;
    if (const auto period = reader.period_at(behind)) return rate_of(reader, number, *period);
  }
  if (led == 0 || !named) return std::nullopt;
  return rate_of(reader, led, *named);
}

}  // namespace relayd::settle
