// Intake: what a server session asks of the relay behind it. lib/relay implements it; tests script it.
//
// First stage of the path. The session knows SMTP; whoever implements this knows where mail goes and how it
// is kept.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "shared/async/task.hpp"
#include "shared/base/bytes.hpp"
#include "shared/mail/envelope.hpp"
#include "shared/sasl/sasl.hpp"
#include "shared/smtp/reply.hpp"

namespace relayd::accept {

// What the session knows of its client, for the Received field and the log.
struct ClientFacts {
  std::string client;    // as Stream::peer() has it
  std::string listener;  // address the client came to
  std::string helo;
  bool extended = false;          // EHLO
  std::string tls;                // version; empty: clear
  std::string account;            // who logged in; empty: nobody
  bool provider_headers = false;  // it may use the control fields of a provider
};

// A message on its way in. Dropping it leaves nothing behind.
class Incoming {
 public:
  virtual ~Incoming() = default;

  // The next bytes of the message, canonical (CR LF lines, no dot-stuffing). True: call flush() before more.
  virtual bool append(std::string_view bytes) = 0;
  virtual async::Task<void> flush() = 0;

  // The message is whole. Returns its queue id when it is safe on disk.
  // Both throw Refused, after which nothing of the message is kept.
  virtual async::Task<std::string> commit() = 0;
};

// The relay does not take the message; the reply says why.
struct Refused {
  smtp::Reply reply;
};

// What each account logs in with, by its name. Immutable; a reload makes another.
using Accounts = std::map<std::string, sasl::Server::Stored, std::less<>>;

// What `name` logs in with. A name that nobody has gets what looks like that of some account, so that neither
// the exchange nor its time tells which names there are; nothing stands for a password that can be made up on
// the spot.
std::optional<sasl::Server::Stored> find_account(const Accounts& accounts, std::string_view name);

class Intake {
 public:
  virtual ~Intake() = default;

  // The largest message that is taken and that some upstream takes, for EHLO (RFC 1870 5).
  virtual Bytes size_limit() = 0;

  // At MAIL FROM: a refusal, or nothing when the client may go on. The envelope has no recipients yet.
  // `size`: what the client announced; 0: nothing.
  virtual std::optional<smtp::Reply> check_sender(const ClientFacts& facts, const mail::Envelope& envelope,
                                                  std::uint64_t size) = 0;
  // At RCPT TO, likewise. Adds to the envelope whom the recipient stands for.
  virtual std::optional<smtp::Reply> add_recipient(mail::Envelope& envelope, mail::Recipient recipient) = 0;

  // At DATA. Throws Refused.
  virtual std::unique_ptr<Incoming> begin(const ClientFacts& facts, const mail::Envelope& envelope) = 0;

  // Who may log in. The session keeps what it got for the length of an exchange, on a helper thread too.
  virtual std::shared_ptr<const Accounts> accounts() = 0;
};

}  // namespace relayd::accept
