// Incoming: accept's message becomes a draft of the queue, with our Received field on top. Mail to lists that
// have an owner becomes a draft for each owner, beside the one for all other recipients.
//
// Joins accept, rewrite and queue. The header block is held until it is whole, because what is added above it
// depends on what is in it, and its addresses may lack a domain; the rest goes straight to the draft.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "accept/intake.hpp"
#include "queue/queue.hpp"
#include "relay/access.hpp"
#include "relay/ways_out.hpp"
#include "rewrite/dkim_body.hpp"
#include "rewrite/rewriting.hpp"
#include "shared/async/loop.hpp"
#include "shared/mail/header.hpp"
#include "shared/telemetry/log.hpp"
#include "tell/publisher.hpp"

namespace relayd {

// What the configuration says of one message, decided when it begins.
struct IncomingTerms {
  // A refusal of an address in the From of a null sender's message; empty: one that cannot be read.
  using CheckAuthor = std::function<std::optional<smtp::Reply>(
      const std::string& author, const mail::Envelope& envelope, const route::HeaderValues& header)>;
  // A refusal, where a message has no way to go: no rule for it, or none that can take it.
  using CheckRoute = std::function<std::optional<smtp::Reply>(
      const mail::Envelope& envelope, std::uint64_t size, const route::HeaderValues& header)>;

  std::string hostname;
  std::string origin;  // the domain of addresses that come without one
  std::string mark;    // of this relay; see instance.hpp
  Bytes header_size = 256_KiB;
  std::size_t header_fields = 10'000;
  std::vector<std::string> may_send_as;                // what the header's From is held to; empty: anything
  std::shared_ptr<const Access> access;                // decides by From, too, where that routes the message
  Access::Fate fate;                                   // by the envelope
  std::vector<mail::Recipient> replaced;               // recipients that staging has replaced
  std::shared_ptr<const rewrite::RewriteRules> taken;  // which addresses of the header become others
  std::shared_ptr<const WaysOut> ways_out;             // whether a key may sign for it later
  CheckAuthor check_author;
  CheckRoute check_route;
};

class DraftIncoming final : public accept::Incoming {
 public:
  DraftIncoming(async::Loop& loop, telemetry::Log& log, const tell::Publisher& publisher, queue::Queue& queue,
                accept::ClientFacts facts, mail::Envelope envelope, IncomingTerms terms);

  bool append(std::string_view bytes) override;
  async::Task<void> flush() override;
  async::Task<std::string> commit() override;

 private:
  // What becomes one message of the queue: recipients with one envelope sender.
  struct Part {
    std::string owner;  // of a list; empty: the message's own sender
    queue::Draft draft;
    std::string id;  // of the draft
  };

  void begin_parts();
  // In `own`, where it is not that of the whole message.
  const mail::Envelope& envelope_of(const Part& part, mail::Envelope& own) const;
  bool append_to_all(std::string_view bytes);
  void publish(const Part& part, const mail::Envelope& envelope, std::uint64_t size,
               std::string_view message_id) const;
  void take_back(std::size_t committed);
  bool write_head();
  bool append_completed();
  bool rewrites_header() const;
  const mail::HeaderFacts& stored_header() const;
  rewrite::Rewriting rewriting() const;
  void append_whole(std::string_view header);
  void append_rewritten(std::string_view header);
  // A null sender's message is routed by its From.
  bool routed_by_header() const { return envelope_.sender.empty(); }
  bool asks_for_authors() const { return routed_by_header() || !terms_.may_send_as.empty(); }
  using Authors = std::vector<std::string>;
  Authors authors() const;
  std::optional<smtp::Reply> refusal(const Authors& authors) const;
  std::optional<smtp::Reply> header_refusal() const;
  std::optional<smtp::Reply> author_refusal(const Authors& authors) const;

  async::Loop& loop_;
  telemetry::Log& log_;
  const tell::Publisher& publisher_;
  queue::Queue& queue_;
  accept::ClientFacts facts_;
  mail::Envelope envelope_;
  IncomingTerms terms_;
  std::vector<Part> parts_;  // never empty
  mail::HeaderScanner scanner_;
  std::optional<mail::HeaderScanner> rewritten_;  // over the header as rules have changed it
  std::optional<rewrite::BodyHash> body_hash_;    // nothing: nobody will ask for it
  route::HeaderValues header_values_;             // what rules ask of it
  std::string head_;
  bool head_written_ = false;
  bool head_too_large_ = false;  // then nothing more is kept
};

}  // namespace relayd
