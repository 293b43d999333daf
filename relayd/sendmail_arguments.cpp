#include "sendmail_arguments.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shared/base/ascii.hpp"

namespace relayd::command {

namespace {

using Arguments = SendmailArguments;
using Mode = SendmailArguments::Mode;

struct Option {
  char letter;
  enum class Value { none, required, joined } value;  // joined: the rest of its word, which may be empty
  // Takes the value; an error, or nothing.
  std::string (*apply)(Arguments& arguments, std::string_view value);
};

std::string ignore(Arguments&, std::string_view) {
  return {};
}

std::string set_mode(Arguments& arguments, std::string_view value) {
  static constexpr std::pair<std::string_view, Mode> modes[] = {
      {"m", Mode::send},    {"s", Mode::smtp},       {"p", Mode::list_queue},
      {"v", Mode::explain}, {"i", Mode::initialise},
  };
  const auto* const found = std::ranges::find(modes, value, &std::pair<std::string_view, Mode>::first);
  if (found == std::end(modes))
    return fmt::format("-b{} is not known{}", value, value == "d" ? ": `relayd run` is the daemon" : "");
  arguments.mode = found->second;
  return {};
}

std::string set_body(Arguments&, std::string_view value) {
  // What the message holds is seen in the message; the word is checked and that is all.
  for (const std::string_view known : {"7BIT", "8BITMIME"})
    if (ascii::equal_ignoring_case(value, known)) return {};
  return fmt::format("-B{}: the body is 7BIT or 8BITMIME", value);
}

// RFC 3461 4.1: NEVER alone, or some of the others, in the form of the SMTP parameter.
std::string set_notify(Arguments& arguments, std::string_view value) {
  const std::string list = ascii::upper(value);
  std::string_view rest = list;
  bool good = true;
  for (bool more = true; more && good;) {
    const std::size_t comma = rest.find(',');
    const std::string_view word = rest.substr(0, comma);
    good = word == "SUCCESS" || word == "FAILURE" || word == "DELAY" || list == "NEVER";
    more = comma != std::string_view::npos;
    if (more) rest.remove_prefix(comma + 1);
  }
  if (!good) return fmt::format("-N {}: write never, or a list of success, failure and delay", value);
  arguments.notify = list;
  return {};
}

std::string set_ret(Arguments& arguments, std::string_view value) {
  arguments.ret = ascii::upper(value);
  const bool good = arguments.ret == "FULL" || arguments.ret == "HDRS";
  return good ? std::string() : fmt::format("-R {}: write full or hdrs", value);
}

std::string set_option(Arguments& arguments, std::string_view value) {
  if (value == "i") arguments.dot_ends = false;
  return {};
}

std::string set_sender(Arguments& arguments, std::string_view value) {
  arguments.sender = value;
  return {};
}

// An interval, "-q30m", is for a daemon: here each message has a time of its own.
std::string run_queue(Arguments& arguments, std::string_view interval) {
  arguments.mode = interval.empty() ? Mode::run_queue : Mode::initialise;
  return {};
}

template <auto Field>
std::string set_text(Arguments& arguments, std::string_view value) {
  arguments.*Field = value;
  return {};
}

template <auto Field, bool value>
std::string set_flag(Arguments& arguments, std::string_view) {
  arguments.*Field = value;
  return {};
}

constexpr Option options[] = {
    {'A', Option::Value::required, ignore},
    {'B', Option::Value::required, set_body},
    {'C', Option::Value::required, set_text<&Arguments::config>},
    {'F', Option::Value::required, set_text<&Arguments::full_name>},
    {'G', Option::Value::none, ignore},
    {'I', Option::Value::none,
     [](Arguments& arguments, std::string_view) { return set_mode(arguments, "i"); }},
    {'L', Option::Value::required, ignore},
    {'N', Option::Value::required, set_notify},
    {'O', Option::Value::required, ignore},
    {'R', Option::Value::required, set_ret},
    {'U', Option::Value::none, ignore},
    {'V', Option::Value::required, set_text<&Arguments::envelope_id>},
    {'b', Option::Value::required, set_mode},
    {'e', Option::Value::required, ignore},
    {'f', Option::Value::required, set_sender},
    {'h', Option::Value::required, ignore},
    {'i', Option::Value::none, set_flag<&Arguments::dot_ends, false>},
    {'m', Option::Value::none, ignore},
    {'n', Option::Value::none, ignore},
    {'o', Option::Value::required, set_option},
    {'q', Option::Value::joined, run_queue},
    {'r', Option::Value::required, set_sender},
    {'t', Option::Value::none, set_flag<&Arguments::recipients_from_header, true>},
    {'v', Option::Value::none, set_flag<&Arguments::verbose, true>},
};

// Reads the options of one word, "ti" of "-ti" or "fann" of "-fann"; takes the next word where a value is
// there. An error, or nothing.
std::string read_word(Arguments& arguments, std::string_view letters,
                      std::span<const std::string_view>& rest) {
  while (!letters.empty()) {
    const char letter = letters.front();
    letters.remove_prefix(1);
    const Option* const option = std::ranges::find(options, letter, &Option::letter);
    if (option == std::end(options)) return fmt::format("unknown option -{}", letter);
    std::string_view value;
    if (option->value != Option::Value::none) std::swap(value, letters);
    if (option->value == Option::Value::required && value.empty()) {
      if (rest.empty()) return fmt::format("-{} needs a value", letter);
      value = rest.front();
      rest = rest.subspan(1);
    }
    if (std::string error = option->apply(arguments, value); !error.empty()) return error;
  }
  return {};
}

}  // namespace

Result<SendmailArguments> parse_sendmail_arguments(std::span<const std::string_view> words) {
  Arguments arguments;
  while (!words.empty() && words.front().size() > 1 && words.front().front() == '-') {
    const std::string_view word = words.front();
    words = words.subspan(1);
    if (word == "--") break;
    if (std::string error = read_word(arguments, word.substr(1), words); !error.empty()) return Error{error};
  }
  arguments.recipients.assign(words.begin(), words.end());
  return arguments;
}

}  // namespace relayd::command
