// Outgoing: what an upstream gets of a stored message: its envelope and its header.
//
// Between the queue and send, at each attempt, so that a changed rule reaches mail that waits; `relayd
// explain` asks the same. The order: addresses, control fields, header rules, staging. A message
// that nothing is about costs one look at its header, and no allocation. Pure. The stored message is never
// changed, nor is its body. Signatures are made of the result; see dkim.hpp.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rewrite/header_rules.hpp"
#include "rewrite/rewriting.hpp"
#include "rewrite/staging.hpp"
#include "shared/config/config.hpp"
#include "shared/mail/control_field.hpp"
#include "shared/mail/envelope.hpp"

namespace relayd::rewrite {

// What is done to mail in one scope: all of it, that of an upstream, or that under a rule of `senders`.
struct Scope {
  RewriteRules rewrite;
  const config::HeaderRules* headers = nullptr;
};

// The way that a message takes. Everything must outlive its use.
struct Way {
  const Scope* rule = nullptr;  // null: changes nothing
  const Scope* upstream = nullptr;
  const Scope* general = nullptr;
  const Staging* staging = nullptr;
  const TableLookup* lookup = nullptr;
  const std::vector<const mail::ControlFields*>* control_fields = nullptr;  // of every provider
  const mail::ControlFields* own_control_fields = nullptr;  // of the upstream's; null: not known
  std::span<const std::string_view> unsigned_names;         // fields that the provider writes anew
  std::string_view report_sender;  // of reports where the provider takes no null sender; empty: it does
  std::string_view mark;           // of this relay; see ReceivedFacts
};

struct Outgoing {
  std::optional<mail::Envelope> envelope;  // nothing: as it is stored; recipients keep their places
  std::optional<std::string> header;       // the whole block; nothing: as it is stored
  std::vector<mail::Recipient> replaced;   // by staging, now
  Notes notes;                             // addresses that stay although a rule is about them
  std::string broken_signature;  // a field that a signature covers and a rule has changed; empty: none
};

Outgoing outgoing(const Way& way, const mail::Envelope& stored, std::string_view header);

// The header block of a stored message: up to and with the empty line that ends it; all of it where there is
// none.
std::string_view header_of(std::string_view message);

}  // namespace relayd::rewrite
