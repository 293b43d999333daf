// ReplyClass: whose matter a reply is, or what happened instead of one.
//
// Named by `retry_next_on` in the configuration and by `class` in the log; settle gives it, route and relay
// read it. Plain values.
#pragma once

#include <array>
#include <initializer_list>
#include <string>
#include <string_view>

#include "shared/base/words.hpp"

namespace relayd::smtp {

enum class ReplyClass {
  none,        // delivered: nobody's
  connect,     // the upstream cannot be reached or refuses to talk
  tls,         // no TLS, or not with the right peer
  auth,        // the credential, or what the account may do at all
  quota,       // used up until a reset
  rate,        // too fast
  conn,        // too many connections
  sender,      // this upstream will never take this sender, or never a message of this kind
  rcpt,        // that recipient
  size,        // too large for this upstream
  content,     // refused as it is, or refused without telling why
  suppressed,  // taken, and will not be sent: the recipients are on the provider's own list
  temp,        // try again; whatever is not understood
};

constexpr auto words_of(ReplyClass) {
  using enum ReplyClass;
  return std::to_array<Word<ReplyClass>>({{"none", none},
                                          {"connect", connect},
                                          {"tls", tls},
                                          {"auth", auth},
                                          {"quota", quota},
                                          {"rate", rate},
                                          {"conn", conn},
                                          {"sender", sender},
                                          {"rcpt", rcpt},
                                          {"size", size},
                                          {"content", content},
                                          {"suppressed", suppressed},
                                          {"temp", temp}});
}
constexpr std::string_view to_string(ReplyClass reply_class) {
  return word_for(reply_class);
}

class ReplyClasses {
 public:
  constexpr ReplyClasses() = default;
  constexpr ReplyClasses(std::initializer_list<ReplyClass> classes) {
    for (const ReplyClass one : classes) insert(one);
  }
  constexpr void insert(ReplyClass one) { bits_ |= bit(one); }
  constexpr bool has(ReplyClass one) const { return (bits_ & bit(one)) != 0; }
  bool operator==(const ReplyClasses&) const = default;

 private:
  static constexpr unsigned bit(ReplyClass one) { return 1u << static_cast<unsigned>(one); }

  unsigned bits_ = 0;
};

// "connect, tls"; empty for none.
inline std::string to_string(ReplyClasses classes) {
  std::string text;
  for (const auto& [word, value] : words_of(ReplyClass{}))
    if (classes.has(value)) text.append(text.empty() ? "" : ", ").append(word);
  return text;
}

// Never a reason to try another upstream: it would be asked to send what this one rightly refused.
inline constexpr ReplyClasses refusals{ReplyClass::rcpt, ReplyClass::content, ReplyClass::suppressed};

}  // namespace relayd::smtp
