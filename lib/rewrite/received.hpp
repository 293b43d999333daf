// What a relay writes above a message: its Received field (RFC 5321 4.4), and Date, Message-ID and From where
// a submitted message lacks them (RFC 6409 8).
//
// Stands between accept, which knows the facts, and the queue, which stores the message with these lines on
// top. Pure: the time is an argument. Existing fields are never touched, so that signatures stay valid.
#pragma once

#include <string>
#include <string_view>

#include "shared/base/time.hpp"
#include "shared/mail/header.hpp"

namespace relayd::rewrite {

struct ReceivedFacts {
  std::string_view helo;       // what the client called itself; not trusted
  std::string_view client;     // its address, or "uid:1000"
  std::string_view hostname;   // ours
  std::string_view mark = {};  // of this relay; empty: none
  bool extended = true;        // EHLO was said
  bool tls = false;
  bool authenticated = false;
  bool smtp_utf8 = false;      // the message has SMTPUTF8
  std::string_view id;         // the queue's
  std::string_view recipient;  // of a message with a single one; else empty, for others may not see it
  WallTime when;
};

// The field with its CR LF. Every clause has a line of its own, none is longer than 998 octets (RFC 5322
// 2.1.1); what the client said cannot add a line or close a comment.
std::string received_field(const ReceivedFacts& facts);

// A field as received_field() wrote it, without what the client called itself and its address; id, mark,
// protocol and date stay, so that loops are found. Empty: it has another form, or not this mark.
std::string masked_received(std::string_view field, std::string_view mark);

// The Message-ID of a message that comes without one.
mail::MessageIdText own_message_id(std::string_view id, std::string_view hostname);

// The Date, Message-ID and From lines that the header lacks, in this order, with CR LF; empty when it has
// all. From is the envelope's sender; the null sender is nobody to put there. A message that has no header at
// all gets an empty line below them.
std::string missing_fields(const mail::HeaderFacts& header, std::string_view id, std::string_view hostname,
                           std::string_view sender, WallTime when);

}  // namespace relayd::rewrite
