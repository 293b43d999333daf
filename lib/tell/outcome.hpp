// Outcome, GivenUp: what has become of a message, as all who hear of it are told: what one attempt did to one
// recipient, or that all who were left in a shipment were given up without one.
//
// Last stage of the path. The relay makes it after the queue has recorded it, and hands it to the Publisher.
// Its texts belong to the relay: keep a copy of what is needed longer than the call.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "shared/base/time.hpp"
#include "shared/mail/envelope.hpp"
#include "shared/smtp/event.hpp"

namespace relayd::tell {

enum class Fate {
  delivered,
  deferred,  // it is tried again
  in_doubt,  // the upstream may have taken it, and no reply came; it is tried again
  failed,
};

struct Outcome {
  Fate fate;
  std::string_view id;
  std::string_view from;  // empty: the null sender
  std::string_view to;
  std::string_view sent_from;  // as the upstream got it; the same where no rule rewrites it
  std::string_view sent_to;
  std::string_view rule;  // that routed it; empty: none does any more
  std::string_view upstream;
  std::string_view host;  // empty: none was reached
  std::string_view account;
  std::string_view tls;  // the version; empty: clear
  const smtp::Event& event;
  std::string_view reply_class;
  std::string_view provider_id;  // the provider's name of the message; empty: it told none
  std::uint32_t attempt;         // from 1
  Duration age;                  // since the message was accepted
};

enum class Ending {
  expired,   // its lifetime is over
  rejected,  // its rule rejects by now
};

struct GivenUp {
  Ending why;
  std::string_view id;
  std::string_view from;  // empty: the null sender
  std::span<const mail::Recipient> to;
  std::string_view reason;
  std::uint32_t attempts = 0;
};

}  // namespace relayd::tell
