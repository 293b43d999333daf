// The log as a subscriber: what it says about a message, from its arrival to its end, and about lanes.
//
// Last stage of the path. One function for each event, so that names, fields and their order stand in one
// file; docs/operations.md has the same table. The relay and the Publisher call them; they decide nothing and
// keep nothing. What the log says about the process itself, its start or its disk, is said where it happens.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "shared/base/time.hpp"
#include "shared/mail/envelope.hpp"
#include "shared/telemetry/log.hpp"
#include "tell/outcome.hpp"

namespace relayd::tell {

using telemetry::Log;

// --- a message arrives ---

// The first ten, and how many there are.
std::string recipients_text(std::span<const mail::Recipient> recipients);

void arrived(Log& log, const Arrival& arrival);  // accepted, held, discarded

// --- its fate ---

void attempted(Log& log, const Outcome& outcome);

// A message that may have been taken, and is held until the operator has looked.
struct Doubt {
  std::string_view id;
  std::string_view from;
  std::string_view upstream;
  std::uint32_t attempts = 0;
  unsigned times = 1;  // in a row that this upstream may have taken it
};
void held(Log& log, const Doubt& doubt);

void given_up(Log& log, const GivenUp& given_up);  // one line a message

void handled(Log& log, const Handled& message);  // held, released, retried, deleted, deferred

void reported(Log& log, const Reported& report);  // bounced, delay_warned, reported

void suppressed(Log& log, const Suppressed& recipient);

// On its way out: an address stays although a rule is about it.
void not_rewritten(Log& log, std::string_view id, std::string_view address, std::string_view reason);
// A rule changed a field that a signature of somebody else covers.
void signature_broken(Log& log, std::string_view id, std::string_view upstream, std::string_view field);

// On its way out: a value of `senders_table` names an upstream that there is none of.
void table_trouble(Log& log, std::string_view reason);

void unreadable(Log& log, std::string_view id, std::string_view reason);  // on the queue's disk

// --- an account ---

// account_failing, account_ok.
void account_changed(Log& log, const AccountNews& account);

// --- a lane ---

struct Lane {
  std::string_view upstream;
  std::string_view account;
};
void lane_stopped(Log& log, const Lane& lane);   // by the operator
void lane_released(Log& log, const Lane& lane);  // likewise

struct Pause {
  std::string_view host;
  std::string_view reply_class;
  int code = 0;
  std::string response;
  Duration wait{};
};
void upstream_paused(Log& log, std::string_view upstream, const Pause& pause);  // for all its accounts
void upstream_resumed(Log& log, std::string_view upstream);
void lane_paused(Log& log, const Lane& lane, const Pause& pause);
void lane_resumed(Log& log, const Lane& lane);
void next_port(Log& log, const Lane& lane, std::string_view response, std::uint16_t port);
void limit_learnt(Log& log, const Lane& lane, std::string_view key, std::string_view value,
                  std::string_view response);
void pipelining_reduced(Log& log, const Lane& lane, std::string_view id);

// `works` is the key of the password that does; the other one is refused, or cannot be read.
void password_changed(Log& log, const Lane& lane, std::string_view works, std::string_view other,
                      bool unreadable);
void password_unreadable(Log& log, const Lane& lane, std::string_view key, std::string_view reason);

}  // namespace relayd::tell
