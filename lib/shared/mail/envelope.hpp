// Envelope: who a message is from and for, as SMTP carries it (RFC 5321 2.3.1), with what the client said
// about itself.
//
// Filled by accept, kept by the queue, read by route and send. A plain value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace relayd::mail {

struct Recipient {
  std::string address;             // without <>; as the client wrote it
  std::string notify;              // RFC 3461 4.1, "SUCCESS,FAILURE"; empty: not given
  std::string original_recipient;  // RFC 3461 4.2, "rfc822;…" still in xtext; empty: not given
  // Of a member of a list, while the message is taken: whom mail to the list leaves from. It becomes the
  // sender of a message of its own, so the queue has none. Empty: the sender of the message.
  std::string owner = {};
};

// What a report of this relay is about.
struct ReportOf {
  std::string message;                    // the id of the message
  std::vector<std::uint32_t> recipients;  // of that message
  std::uint32_t delay = 0;                // of a delay warning: the age that it was written for, in seconds
  bool expanded = false;                  // that a recipient became several, too
};

// Who wrote to a list whose mail leaves from its owner.
struct ListSender {
  std::string address;      // without <>
  std::string envelope_id;  // his ENVID, as Envelope has it
};

struct Envelope {
  std::string sender;  // without <>; empty: the null sender
  // What routing goes by: the sender, or for a null sender the header From's address.
  std::string routing_sender;
  std::vector<Recipient> recipients;
  bool eight_bit = false;         // BODY=8BITMIME
  bool smtp_utf8 = false;         // RFC 6531
  bool require_tls = false;       // RFC 8689: over verified TLS all the way, or not at all
  std::string ret;                // RFC 3461 4.3, "FULL" or "HDRS"; empty: not given
  std::string envelope_id;        // RFC 3461 4.4, still in xtext; empty: not given
  std::string client;             // address of the client; on a unix socket "uid:1000" or "unix"
  std::string account;            // who logged in; empty: nobody
  std::string listener = {};      // name of the listener that the client came to; empty: it has none
  bool provider_headers = false;  // the client may use the control fields of a provider
  // SHA-256 of the content's body in the relaxed form (RFC 6376 3.4.4), 32 octets; empty: it was not made.
  std::string body_hash;
  std::optional<ReportOf> report;  // of a report that this relay wrote
  // Recipients who became several and asked to hear of it, NOTIFY=SUCCESS (RFC 3461 5.2.7.3), or who are
  // lists that have an owner.
  std::vector<Recipient> expanded;
  // Of mail from a list's owner with `expanded`: who is told of that; `expanded` are lists (RFC
  // 3461 5.2.7.1).
  std::optional<ListSender> list_sender;
};

}  // namespace relayd::mail
