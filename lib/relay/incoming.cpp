#include "relay/incoming.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "accept/rules.hpp"
#include "rewrite/addresses.hpp"
#include "rewrite/received.hpp"
#include "rewrite/staging.hpp"
#include "shared/base/ascii.hpp"
#include "shared/mail/address.hpp"
#include "shared/mail/mailboxes.hpp"

namespace relayd {

using accept::Refused;
using async::Task;
using queue::QueueError;

namespace {

// RFC 5321 6.3 asks for at least 100.
constexpr std::size_t hop_limit = 100;
// A message may come here again for a reason: from a list on the same relay, or sent once more by its reader.
// What comes again and again is looping.
constexpr std::size_t visit_limit = 4;

Refused refused(const QueueError& error) {
  if (error.kind() == QueueError::Kind::full)
    return {{452, {4, 3, 1}, "The queue's disk is full, try again later"}};
  return {{451, {4, 3, 0}, "The queue cannot be written, try again later"}};
}

}  // namespace

DraftIncoming::DraftIncoming(async::Loop& loop, telemetry::Log& log, const tell::Publisher& publisher,
                             queue::Queue& queue, accept::ClientFacts facts, mail::Envelope envelope,
                             IncomingTerms terms)
    : loop_(loop),
      log_(log),
      publisher_(publisher),
      queue_(queue),
      facts_(std::move(facts)),
      envelope_(std::move(envelope)),
      terms_(std::move(terms)),
      scanner_(terms_.mark) {
  begin_parts();
}

// The message's own sender first.
void DraftIncoming::begin_parts() {
  const auto add = [this](std::string_view owner) {
    queue::Draft draft = queue_.draft();
    std::string id = queue::to_string(draft.id());
    parts_.push_back({std::string(owner), std::move(draft), std::move(id)});
  };
  const std::vector<mail::Recipient>& recipients = envelope_.recipients;
  std::set<std::string_view> owners;
  for (const mail::Recipient& recipient : recipients)
    if (!recipient.owner.empty()) owners.insert(recipient.owner);
  const bool has_own = std::ranges::any_of(recipients, &std::string::empty, &mail::Recipient::owner);
  if (has_own || owners.empty()) add({});  // or all of it was discarded
  for (const std::string_view owner : owners) add(owner);
}

// A list's mail has nothing of what its sender asked for in notifications (RFC 3461 5.2.7.1). The list's own
// part tells him that it went there; if there is none, the first part does.
const mail::Envelope& DraftIncoming::envelope_of(const Part& part, mail::Envelope& envelope) const {
  if (parts_.size() == 1 && part.owner.empty()) return envelope_;
  envelope = envelope_;
  std::erase_if(envelope.recipients,
                [&part](const mail::Recipient& recipient) { return recipient.owner != part.owner; });
  std::erase_if(envelope.expanded, [&](const mail::Recipient& recipient) {
    const auto own = std::ranges::find(parts_, recipient.owner, &Part::owner);
    return (own == parts_.end() ? parts_.front().owner : own->owner) != part.owner;
  });
  if (part.owner.empty()) return envelope;
  if (!envelope.expanded.empty()) envelope.list_sender = {envelope.sender, envelope.envelope_id};
  envelope.sender = envelope.routing_sender = part.owner;
  envelope.ret.clear();
  envelope.envelope_id.clear();
  return envelope;
}

bool DraftIncoming::append_to_all(std::string_view bytes) {
  bool full = false;
  for (Part& part : parts_) full |= part.draft.append(bytes);
  return full;
}

bool DraftIncoming::append(std::string_view bytes) {
  // Whatever the client has declared: the next server must know (RFC 6152 3).
  envelope_.eight_bit = envelope_.eight_bit || !ascii::all_ascii(bytes);
  if (head_too_large_) return false;
  if (head_written_) {
    if (body_hash_) body_hash_->update(bytes);
    return append_to_all(bytes);
  }
  scanner_.feed(bytes);
  head_ += bytes;
  const mail::HeaderFacts& header = scanner_.facts();
  const std::uint64_t octets = scanner_.done() ? header.octets : head_.size();
  head_too_large_ = octets > terms_.header_size.count || header.fields > terms_.header_fields;
  if (head_too_large_) head_ = {};
  return scanner_.done() && !head_too_large_ ? write_head() : false;
}

bool DraftIncoming::write_head() {
  head_written_ = true;
  const WallTime now = loop_.wall_now();
  rewrite::ReceivedFacts received;
  received.helo = facts_.helo;
  received.client = facts_.client;
  received.hostname = terms_.hostname;
  received.mark = terms_.mark;
  received.extended = facts_.extended;
  received.tls = !facts_.tls.empty();
  received.authenticated = !facts_.account.empty();
  received.smtp_utf8 = envelope_.smtp_utf8;
  received.when = now;
  for (Part& part : parts_) {
    mail::Envelope own;
    const std::vector<mail::Recipient>& recipients = envelope_of(part, own).recipients;
    received.id = part.id;
    received.recipient = {};  // nor of a list: a report may return this header to who wrote to it
    if (recipients.size() == 1 && part.owner.empty()) received.recipient = recipients.front().address;
    part.draft.append(rewrite::received_field(received));
    if (part.owner.empty()) part.draft.append(rewrite::original_to_fields(terms_.replaced));
  }
  const std::string& id = parts_.front().id;
  append_to_all(rewrite::missing_fields(scanner_.facts(), id, terms_.hostname, envelope_.sender, now));
  if (!terms_.ways_out->keys().empty()) {
    body_hash_.emplace();
    body_hash_->update(std::string_view(head_).substr(scanner_.facts().octets));
  }
  const bool full = append_completed();
  head_ = {};
  return full;
}

// What was held back: the header, its addresses with their domain and as the rules have them, and the
// beginning of the body. Between the two there is an empty line, whatever the header ended with: some readers
// look for it and some do not.
bool DraftIncoming::append_completed() {
  const mail::HeaderFacts& facts = scanner_.facts();
  const std::string_view header = std::string_view(head_).substr(0, facts.octets);
  const std::string_view body = std::string_view(head_).substr(facts.octets);
  const std::optional<std::string> completed = rewrite::with_domains(header, "@" + terms_.origin);
  const std::string_view whole = completed ? *completed : header;
  if (rewrites_header())
    append_rewritten(whole);
  else
    append_whole(whole);
  if (!facts.separated && !header.empty() && !body.empty()) append_to_all("\r\n");
  return append_to_all(body);
}

bool DraftIncoming::rewrites_header() const {
  return terms_.taken->concern(rewrite::AddressClass::from_fields) ||
         terms_.taken->concern(rewrite::AddressClass::to_fields);
}

rewrite::Rewriting DraftIncoming::rewriting() const {
  return {{terms_.taken.get()}, terms_.ways_out->lookup(), envelope_.smtp_utf8};
}

void DraftIncoming::append_whole(std::string_view header) {
  header_values_ = terms_.ways_out->router().header_values(header);
  append_to_all(header);
}

void DraftIncoming::append_rewritten(std::string_view header) {
  rewrite::Notes notes;
  const std::optional<std::string> rewritten = rewriting().header(header, notes);
  append_whole(rewritten ? *rewritten : header);
  if (rewritten) {
    rewritten_.emplace();
    rewritten_->feed(*rewritten);
    rewritten_->end();
  }
  tell_of(log_, parts_.front().id, notes, terms_.ways_out->router().config().file);
}

const mail::HeaderFacts& DraftIncoming::stored_header() const {
  return rewritten_ ? rewritten_->facts() : scanner_.facts();
}

// Each address of From as it is stored, with its domain; empty: one that cannot be read.
DraftIncoming::Authors DraftIncoming::authors() const {
  Authors result;
  for (const std::string& address : stored_header().from)
    result.push_back(mail::qualified(address, terms_.origin));
  return result;
}

Task<void> DraftIncoming::flush() {
  try {
    for (Part& part : parts_) co_await part.draft.flush();
  } catch (const QueueError& error) {
    throw refused(error);
  }
}

// What is wrong with the header, now that it is known.
std::optional<smtp::Reply> DraftIncoming::header_refusal() const {
  const mail::HeaderFacts& header = scanner_.facts();
  if (head_too_large_)
    return smtp::Reply{552,
                       {5, 3, 4},
                       fmt::format("A header of at most {} octets and {} fields is taken",
                                   terms_.header_size.count, terms_.header_fields)};
  if (header.received >= hop_limit)
    return smtp::Reply{
        554, {5, 4, 6}, fmt::format("The message has {} Received fields: it is looping", header.received)};
  if (header.marked >= visit_limit)
    return smtp::Reply{
        554, {5, 4, 6}, fmt::format("The message was here {} times: it is looping", header.marked)};
  return std::nullopt;
}

// What is wrong with who wrote it, where that is asked. All of them count: which one a reader is shown is not
// ours to know.
std::optional<smtp::Reply> DraftIncoming::author_refusal(const Authors& authors) const {
  if (!asks_for_authors()) return std::nullopt;
  const bool held = !terms_.may_send_as.empty();
  if (!stored_header().from_whole)
    return smtp::Reply{550, {5, 7, 1}, "The From field is too long to be checked"};
  if (held && routed_by_header() && authors.empty())  // else the sender becomes its From
    return smtp::Reply{
        550, {5, 7, 1}, fmt::format("{} needs a From field for a null sender", facts_.account)};
  for (const std::string& address : authors) {
    const std::string author = mail::may_be_misread(address) ? std::string() : address;
    if (held && author.empty())
      return smtp::Reply{
          550, {5, 7, 1}, fmt::format("{} needs a From field that can be read", facts_.account)};
    if (held && !accept::may_send_as(terms_.may_send_as, author))
      return smtp::Reply{550, {5, 7, 1}, fmt::format("{} may not write as {}", facts_.account, author)};
    if (!routed_by_header()) continue;
    if (std::optional<smtp::Reply> refusal = terms_.check_author(author, envelope_, header_values_))
      return refusal;
  }
  return std::nullopt;
}

std::optional<smtp::Reply> DraftIncoming::refusal(const Authors& authors) const {
  std::optional<smtp::Reply> reply = header_refusal();
  if (!reply) reply = author_refusal(authors);
  for (const Part& part : parts_) {
    mail::Envelope own;
    if (!reply) reply = terms_.check_route(envelope_of(part, own), part.draft.size(), header_values_);
  }
  return reply;
}

Task<std::string> DraftIncoming::commit() {
  scanner_.end();
  if (!head_written_ && !head_too_large_) write_head();
  const Authors authors = asks_for_authors() ? this->authors() : Authors();
  envelope_.routing_sender = envelope_.sender;
  if (routed_by_header() && !authors.empty()) envelope_.routing_sender = authors.front();
  if (const std::optional<smtp::Reply> reply = refusal(authors)) throw Refused{*reply};
  if (routed_by_header())
    for (const std::string& author : authors) terms_.access->decide_by_author(envelope_, author, terms_.fate);
  if (body_hash_) {
    const crypto::Digest digest = body_hash_->finish();
    envelope_.body_hash.assign(digest.begin(), digest.end());
  }
  const std::string id = parts_.front().id;
  const mail::HeaderFacts& header = scanner_.facts();
  const mail::MessageIdText message_id =
      header.has_message_id ? header.message_id : rewrite::own_message_id(id, terms_.hostname);
  if (!terms_.fate.discarded.empty()) {
    publisher_.publish(tell::Arrival{.kind = tell::Arrival::Kind::discarded,
                                     .id = id,
                                     .envelope = envelope_,
                                     .to = terms_.fate.discarded,
                                     .size = parts_.front().draft.size(),
                                     .tls = facts_.tls,
                                     .message_id = message_id.view(),
                                     .instead_of = terms_.replaced});
  }
  if (envelope_.recipients.empty()) co_return id;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    Part& part = parts_[i];
    mail::Envelope own;
    const mail::Envelope& envelope = envelope_of(part, own);
    const std::uint64_t size = part.draft.size();
    try {
      co_await queue_.commit(std::move(part.draft), envelope, terms_.fate.hold);
    } catch (const QueueError& error) {
      take_back(i);
      throw refused(error);  // the queue raises the alarm, once for all clients
    }
    publish(part, envelope, size, message_id.view());
  }
  co_return id;
}

void DraftIncoming::publish(const Part& part, const mail::Envelope& envelope, std::uint64_t size,
                            std::string_view message_id) const {
  const std::vector<mail::Recipient> nobody;
  publisher_.publish(
      tell::Arrival{.kind = terms_.fate.hold ? tell::Arrival::Kind::held : tell::Arrival::Kind::accepted,
                    .id = part.id,
                    .envelope = envelope,
                    .to = envelope.recipients,
                    .size = size,
                    .tls = facts_.tls,
                    .message_id = message_id,
                    .instead_of = part.owner.empty() ? terms_.replaced : nobody});
}

// The client sends all of it once more. What was handed to an upstream meanwhile arrives twice.
void DraftIncoming::take_back(std::size_t committed) {
  for (std::size_t i = 0; i < committed; ++i) {
    const Result<queue::MessageId> id = queue::parse_message_id(parts_[i].id);
    if (queue::Message* const message = id ? queue_.find(*id) : nullptr) queue_.remove(*message);
    log_.warning("alias_trouble",
                 {{"id", parts_[i].id}, {"reason", "taken back: mail to another list was not kept"}});
  }
}

}  // namespace relayd
