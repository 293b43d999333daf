// Arrival, Outcome, GivenUp, Handled, Reported, AccountNews, Suppressed: what has become of a message, as all
// who hear of it are told: that it came in, what one attempt did to one recipient, that all who were left in
// a shipment were given up without one, what the operator did to all of it, that somebody was sent a report,
// or that a recipient is sent nothing for a time.
//
// Last stage of the path. The relay makes it after the queue has recorded it, and hands it to the Publisher.
// Its texts belong to the relay: keep a copy of what is needed longer than the call.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "shared/base/time.hpp"
#include "shared/base/words.hpp"
#include "shared/mail/envelope.hpp"
#include "shared/smtp/event.hpp"

namespace relayd::tell {

struct Arrival {
  enum class Kind {
    accepted,
    held,       // by `access`
    discarded,  // likewise; of these recipients
  };
  Kind kind = Kind::accepted;
  std::string_view id;
  const mail::Envelope& envelope;
  std::span<const mail::Recipient> to;
  std::uint64_t size = 0;
  std::string_view tls;                              // the version; empty: clear
  std::string_view message_id;                       // of the header, with its <>; empty: it has none
  std::span<const mail::Recipient> instead_of = {};  // recipients that staging has replaced
};

constexpr auto words_of(Arrival::Kind) {
  using enum Arrival::Kind;
  return std::to_array<Word<Arrival::Kind>>(
      {{"accepted", accepted}, {"held", held}, {"discarded", discarded}});
}

enum class Fate {
  delivered,
  deferred,  // it is tried again
  in_doubt,  // the upstream may have taken it, and no reply came; it is tried again
  failed,
};

constexpr auto words_of(Fate) {
  using enum Fate;
  return std::to_array<Word<Fate>>(
      {{"delivered", delivered}, {"deferred", deferred}, {"in_doubt", in_doubt}, {"failed", failed}});
}

struct Outcome {
  Fate fate;
  std::string_view id;
  WallTime when{};              // as the queue has recorded it
  std::uint32_t recipient = 0;  // its number in the message
  std::string_view from;        // empty: the null sender
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
  Duration took{};               // the attempt, from when the message was read
  std::uint64_t size = 0;        // octets of the message as it left
  bool first = true;             // tells of the whole attempt: the first that was delivered, else the first
};

enum class Ending {
  expired,   // its lifetime is over
  rejected,  // its rule rejects by now
  deleted,   // by the operator, who wants the sender to hear of it
};

constexpr auto words_of(Ending) {
  using enum Ending;
  return std::to_array<Word<Ending>>({{"expired", expired}, {"rejected", rejected}, {"deleted", deleted}});
}

struct GivenUp {
  Ending why;
  std::string_view id;
  WallTime when{};        // as the queue has recorded it
  std::string_view from;  // empty: the null sender
  std::span<const mail::Recipient> to;
  std::span<const std::uint32_t> recipients = {};  // their numbers in the message
  std::string_view reason;
  std::uint32_t attempts = 0;
};

// Without an attempt, of all who are left of a message: by the operator, or that no rule is for it.
struct Handled {
  enum class Kind {
    held,
    released,
    retried,    // it was held, or had failed
    deleted,    // its sender is not told
    routeless,  // it waits for a rule
  };
  Kind kind = Kind::held;
  std::string_view id;
  std::string_view from;         // by which it is routed; empty: the null sender
  std::string_view reason = {};  // of `routeless`
};

constexpr auto words_of(Handled::Kind) {
  using enum Handled::Kind;
  return std::to_array<Word<Handled::Kind>>({{"held", held},
                                             {"released", released},
                                             {"retried", retried},
                                             {"deleted", deleted},
                                             {"deferred", routeless}});
}

// A report was written, or need not be.
struct Reported {
  enum class Kind {
    failed,
    delayed,
    relayed,    // to an upstream that sends no reports
    delivered,  // at its end: a Maildir, or a server of LMTP
    expanded
  };
  Kind kind = Kind::failed;
  std::string_view id;                     // of the message that it is about
  std::string_view from;                   // of that message
  std::span<const mail::Recipient> about;  // recipients of that message
  std::string_view report;                 // the report's own id; empty: none was written
  std::string_view to;                     // who is sent it
  std::string_view reason;                 // why none was written
};

// The actions of RFC 3464 2.3.3.
constexpr auto words_of(Reported::Kind) {
  using enum Reported::Kind;
  return std::to_array<Word<Reported::Kind>>({{"failed", failed},
                                              {"delayed", delayed},
                                              {"relayed", relayed},
                                              {"delivered", delivered},
                                              {"expanded", expanded}});
}

// As the log and the history name it.
constexpr std::string_view event_of(Reported::Kind kind) {
  if (kind == Reported::Kind::failed) return "bounced";
  return kind == Reported::Kind::delayed ? "delay_warned" : "reported";
}

// What the account watch has found, once when it changes.
struct AccountNews {
  std::string_view upstream;
  std::string_view account;  // user name; empty: no login
  bool well = true;
  std::string_view reply_class = {};  // of what fails
  std::string_view reason = {};       // what fails, and what to change
};

// A recipient is on the list of those who do not exist; see suppression.hpp.
struct Suppressed {
  enum class Kind {
    remembered,  // from now on, by what became of a message
    refused,     // to a client that named it
  };
  Kind kind = Kind::remembered;
  std::string_view id = {};  // of the message; empty: `refused`
  std::string_view from;     // empty: the null sender
  std::string_view to;
  std::string_view upstream = {};  // that said so; empty: `refused`
  std::string_view reason;         // its reply, or the operator's words
  WallTime until{};
};

}  // namespace relayd::tell
