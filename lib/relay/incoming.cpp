#include "relay/incoming.hpp"

#include <fmt/format.h>

#include "rewrite/received.hpp"

namespace relayd {

using accept::Refused;
using async::Task;
using queue::QueueError;

namespace {

// A header block larger than this is passed on as it is; nobody's mail program writes one.
constexpr std::size_t head_limit = 256 * 1024;

// RFC 5321 6.3 asks for at least 100.
constexpr std::size_t hop_limit = 100;

constexpr std::size_t recipients_shown = 10;

Refused refused(const QueueError& error) {
  if (error.kind() == QueueError::Kind::full)
    return {{452, {4, 3, 1}, "The queue's disk is full, try again later"}};
  return {{451, {4, 3, 0}, "The queue cannot be written, try again later"}};
}

std::string recipients_text(const mail::Envelope& envelope) {
  std::string text;
  for (std::size_t i = 0; i < envelope.recipients.size() && i < recipients_shown; ++i)
    text += (i == 0 ? "" : ",") + envelope.recipients[i].address;
  if (envelope.recipients.size() > recipients_shown)
    text += fmt::format(",… {} in all", envelope.recipients.size());
  return text;
}

}  // namespace

DraftIncoming::DraftIncoming(async::Loop& loop, telemetry::Log& log, queue::Queue& queue,
                             accept::ClientFacts facts, mail::Envelope envelope, std::string hostname,
                             CheckRoute check_route)
    : loop_(loop),
      log_(log),
      queue_(queue),
      facts_(std::move(facts)),
      envelope_(std::move(envelope)),
      hostname_(std::move(hostname)),
      check_route_(std::move(check_route)),
      draft_(queue.draft()) {}

bool DraftIncoming::append(std::string_view bytes) {
  if (head_written_) return draft_.append(bytes);
  scanner_.feed(bytes);
  head_ += bytes;
  return scanner_.done() || head_.size() > head_limit ? write_head() : false;
}

bool DraftIncoming::write_head() {
  head_written_ = true;
  const WallTime now = loop_.wall_now();
  const std::string id = queue::to_string(draft_.id());
  rewrite::ReceivedFacts received;
  received.helo = facts_.helo;
  received.client = facts_.client;
  received.hostname = hostname_;
  received.extended = facts_.extended;
  received.tls = !facts_.tls.empty();
  received.authenticated = !facts_.account.empty();
  received.smtp_utf8 = envelope_.smtp_utf8;
  received.id = id;
  if (envelope_.recipients.size() == 1) received.recipient = envelope_.recipients.front().address;
  received.when = now;
  draft_.append(rewrite::received_field(received));
  draft_.append(rewrite::missing_fields(scanner_.facts(), id, hostname_, now));
  const bool full = draft_.append(head_);
  head_ = {};
  return full;
}

Task<void> DraftIncoming::flush() {
  try {
    co_await draft_.flush();
  } catch (const QueueError& error) {
    throw refused(error);
  }
}

Task<std::string> DraftIncoming::commit() {
  if (!head_written_) write_head();
  if (scanner_.facts().received >= hop_limit)
    throw Refused{
        {554,
         {5, 4, 6},
         fmt::format("The message has {} Received fields: it goes in circles", scanner_.facts().received)}};
  envelope_.routing_sender = envelope_.sender.empty() ? scanner_.facts().from : envelope_.sender;
  if (envelope_.sender.empty())
    if (const std::optional<smtp::Reply> refusal = check_route_(envelope_.routing_sender))
      throw Refused{*refusal};
  const std::uint64_t size = draft_.size();
  const std::string sender = envelope_.sender;
  const std::string recipients = recipients_text(envelope_);
  queue::MessageId id;
  try {
    id = co_await queue_.commit(std::move(draft_), std::move(envelope_));
  } catch (const QueueError& error) {
    throw refused(error);  // the queue raises the alarm, once for all clients
  }
  std::string text = queue::to_string(id);
  log_.info("accepted", {{"id", text},
                         {"from", sender.empty() ? "<>" : sender},
                         {"to", recipients},
                         {"size", size},
                         {"client", facts_.client},
                         {"account", facts_.account},
                         {"tls", facts_.tls}});
  co_return text;
}

}  // namespace relayd
