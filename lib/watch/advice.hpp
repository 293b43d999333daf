// Advice: what to change when a step of the way to an upstream failed, in words for the operator.
//
// Beside the path; asked by relay/doctor. Pure: one table of what may happen, so that all that a doctor can
// say is read in one place.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "shared/config/oauth2.hpp"
#include "shared/oauth/token_facts.hpp"
#include "shared/smtp/event.hpp"
#include "shared/smtp/reply_class.hpp"
#include "shared/smtp/tls_mode.hpp"
#include "watch/finding.hpp"

namespace relayd::watch {

// What failed, and what is known around it.
struct Ailment {
  const smtp::Event& event;
  smtp::ReplyClass reply_class;
  bool in_time = true;  // false: it was given up, since no answer came
  std::uint16_t port = 0;
  smtp::TlsMode tls = smtp::TlsMode::starttls;
  std::string_view account;  // user name; empty: none
  std::string_view hint;     // what the provider wants as user name and password; empty: not known
  std::string_view sender;   // of MAIL; empty: the null sender
  std::string_view proxy;    // through which it goes; empty: none
  const config::OAuth2* oauth2 = nullptr;    // how the account gets its access tokens; null: it has none
  const oauth::TokenFacts* token = nullptr;  // what the one that was tried says of itself; null: nothing
};

Step step_of(smtp::Stage stage);

// One sentence without a stop at its end; empty: the text of the event says it already.
std::string advice_for(const Ailment& ailment);

}  // namespace relayd::watch
