#include "relay/intake_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "accept/rules.hpp"
#include "relay/incoming.hpp"
#include "relay/routing.hpp"
#include "shared/base/ascii.hpp"
#include "tell/log.hpp"

namespace relayd {

namespace {

// Of a rule that rejects.
std::optional<smtp::Reply> rejection(const route::Route& route) {
  if (route.reject.empty()) return std::nullopt;
  smtp::ReplyParser parser;
  parser.feed(fmt::format("{}\r\n", route.reject));
  smtp::Reply reply = parser.take();
  if (!reply.enhanced.given()) reply.enhanced = {static_cast<std::uint16_t>(reply.code / 100), 7, 1};
  return reply;
}

// Of a route that leads nowhere. Mail by a value of `senders_table` waits until that is mended.
std::optional<smtp::Reply> rejection(const route::Route& route, const route::Mail& mail) {
  if (route.open || route.by_table || !route.choices.empty()) return std::nullopt;
  if (std::optional<smtp::Reply> reply = rejection(route)) return reply;
  const std::string to = mail.recipient ? fmt::format(" to {}", *mail.recipient) : "";
  return smtp::Reply{
      550, {5, 7, 1}, fmt::format("No rule says where mail from {}{} goes", mail.sender.value_or(""), to)};
}

// Whether it matters to a message who has written it, beyond where it goes.
bool tells_senders_apart(const config::Config& config) {
  const auto& access = config.access.senders;
  return std::ranges::any_of(access,
                             [](const auto& rule) {
                               return rule.verdict != config::AccessVerdict::accept || !rule.table.empty();
                             }) ||
         std::ranges::any_of(config.senders, [](const auto& rule) { return !rule.reject.empty(); });
}

// Distinct senders of what one message becomes, its own included: each draft may hold an `inline_limit` in
// memory.
constexpr std::size_t most_owners = 17;

std::string text_of(const std::vector<rewrite::Aliases::Target>& targets) {
  std::string text;
  for (const auto& [address, owner] : targets) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", address);
    if (!owner.empty()) text += fmt::format(" (from {})", owner);
  }
  return text;
}

smtp::Reply too_many_recipients() {
  return {452, {4, 5, 3}, fmt::format("At most {} recipients a message", config::most_recipients)};
}

}  // namespace

Bytes IntakePolicy::size_limit() {
  Bytes largest = 0_B;
  for (const route::Upstream& upstream : setup_.router->upstreams()) {
    if (!upstream.limits.message_size) return setup_.config->limits.message_size;
    largest = std::max(largest, *upstream.limits.message_size);
  }
  return std::min(largest, setup_.config->limits.message_size);
}

const config::Account* IntakePolicy::account_of(const accept::ClientFacts& facts) const {
  for (const config::Account& account : setup_.config->accounts) {
    // Those of `accounts_file` come last, are many, and may send as anybody, as one that is not found.
    if (!account.file.empty()) break;
    if (account.name == facts.account) return &account;
  }
  return nullptr;
}

std::optional<smtp::Reply> IntakePolicy::check_sender(const accept::ClientFacts& facts,
                                                      const mail::Envelope& envelope, std::uint64_t size) {
  if (!open_) return smtp::Reply{451, {4, 3, 2}, "Starting: the queue is being read, try again in a moment"};
  rewrite::Notes told_at_data;
  const std::string sender = taken_sender(envelope, told_at_data);
  const config::Account* const account = account_of(facts);
  if (account && !accept::may_send_as(account->may_send_as, sender))
    return smtp::Reply{553, {5, 7, 1}, fmt::format("{} may not send as {}", account->name, sender)};
  if (std::optional<smtp::Reply> refusal = setup_.access->refuse_sender(sender)) return refusal;
  if (sender.empty()) return std::nullopt;  // routed by its header, once that is known
  const Routed message(envelope);
  route::Mail mail = message.mail();
  mail.sender = sender;
  return check_route(mail, envelope, size);
}

// What the rules `when: taken` make of a client's address.
std::string IntakePolicy::taken(rewrite::AddressClass where, const mail::Envelope& envelope,
                                const std::string& address, rewrite::Notes& notes) const {
  const rewrite::Rewriting rewriting({setup_.taken.get()}, setup_.ways_out->lookup(), envelope.smtp_utf8);
  auto mapped = rewriting.map(where, address, notes);
  return mapped ? std::move(mapped->address) : address;
}

std::string IntakePolicy::taken_sender(const mail::Envelope& envelope, rewrite::Notes& notes) const {
  if (setup_.taken->empty()) return envelope.sender;
  return taken(rewrite::AddressClass::sender, envelope, envelope.sender, notes);
}

std::string IntakePolicy::taken_recipient(const mail::Envelope& envelope, const std::string& address) const {
  rewrite::Notes notes;
  std::string becomes = taken(rewrite::AddressClass::recipient, envelope, address, notes);
  tell_of(log_, {}, notes, setup_.config->file);
  return becomes;
}

// An address stands for too many.
smtp::Reply IntakePolicy::expansion_error(const std::string& address) const {
  log_.error("alias_trouble", {{"to", address},
                               {"reason", fmt::format("more than {0} addresses, more than {0} aliases in a "
                                                      "row, an address that is too long, or a value of a "
                                                      "table that names none",
                                                      rewrite::Aliases::most)}});
  return {451, {4, 6, 0}, "Alias expansion error"};
}

// An upstream has said that it does not exist.
std::optional<smtp::Reply> IntakePolicy::refuse_suppressed(const mail::Envelope& envelope,
                                                           const std::string& address) const {
  if (!suppressions_.on()) return std::nullopt;
  rewrite::Notes told_at_data;
  return suppressions_.refusal(taken_sender(envelope, told_at_data), address);
}

// For whom the alias `name` stands.
bool IntakePolicy::is_refused(const mail::Envelope& envelope, const std::string& name,
                              const std::string& target) const {
  if (const std::optional<smtp::Reply> refusal = refuse_unroutable(envelope, target)) {
    log_.warning(
        "alias_trouble",
        {{"to", name}, {"reason", fmt::format("mail to {} goes nowhere: {}", target, refusal->text)}});
    return true;
  }
  if (setup_.access->recipient(target) == config::AccessVerdict::reject) {
    log_.warning("alias_trouble", {{"to", name}, {"reason", fmt::format("mail to {} is not taken", target)}});
    return true;
  }
  return refuse_suppressed(envelope, target).has_value();
}

std::optional<smtp::Reply> IntakePolicy::add_recipient(mail::Envelope& envelope, mail::Recipient recipient) {
  const bool rewrites = setup_.taken->concern(rewrite::AddressClass::recipient);
  std::string mapped;
  if (rewrites) mapped = taken_recipient(envelope, recipient.address);
  const std::string& address = rewrites ? mapped : recipient.address;
  if (std::optional<smtp::Reply> refusal = setup_.access->refuse_recipient(address)) return refusal;
  std::vector<mail::Recipient>& recipients = envelope.recipients;
  const rewrite::Aliases& aliases = *setup_.aliases;
  if (aliases.empty() && !rewrites) {
    if (std::optional<smtp::Reply> refusal = refuse_unroutable(envelope, address)) return refusal;
    if (std::optional<smtp::Reply> refusal = refuse_suppressed(envelope, address)) return refusal;
    recipients.push_back(std::move(recipient));
    return std::nullopt;
  }
  auto targets = aliases.targets(address);
  if (!targets) return expansion_error(recipient.address);
  if (envelope.sender.empty())
    for (rewrite::Aliases::Target& target : *targets) target.owner.clear();
  const bool stands_for_itself = targets->size() == 1 && targets->front().address == address;
  if (stands_for_itself) {
    if (std::optional<smtp::Reply> refusal = refuse_unroutable(envelope, address)) return refusal;
    if (std::optional<smtp::Reply> refusal = refuse_suppressed(envelope, address)) return refusal;
  }
  std::erase_if(*targets, [&](const rewrite::Aliases::Target& target) {
    return is_refused(envelope, recipient.address, target.address);
  });
  if (targets->empty())
    return smtp::Reply{
        550, {5, 1, 1}, fmt::format("<{}> stands only for recipients that are refused", recipient.address)};
  if (recipients.size() + targets->size() > config::most_recipients) return too_many_recipients();
  if (const std::optional<smtp::Reply> refusal = check_owners(envelope, recipient.address, *targets))
    return refusal;
  const bool has_owner = !targets->front().owner.empty();
  if (targets->size() == 1 && targets->front().address == recipient.address && !has_owner) {
    recipients.push_back(std::move(recipient));
    return std::nullopt;
  }
  log_.debug("alias_expanded",
             {{"to", recipient.address}, {"reason", fmt::format("it stands for {}", text_of(*targets))}});
  for (const rewrite::Aliases::Target& target : *targets)
    envelope.smtp_utf8 =
        envelope.smtp_utf8 || !ascii::all_ascii(target.address) || !ascii::all_ascii(target.owner);
  std::ranges::move(rewrite::stand_ins(recipient, *targets), std::back_inserter(recipients));
  const bool wants_to_know = recipient.notify.find("SUCCESS") != std::string::npos;
  const auto of_no_list =
      std::ranges::count_if(*targets, [](const auto& each) { return each.owner.empty(); });
  const bool target_inherits = targets->size() == 1 && of_no_list == 1;
  if (target_inherits || !wants_to_know || setup_.config->bounce.from.empty()) return std::nullopt;
  if (of_no_list == 0) recipient.owner = targets->front().owner;
  envelope.expanded.push_back(std::move(recipient));
  return std::nullopt;
}

// Mail to a list goes where its owner's does, as a message of its own.
std::optional<smtp::Reply> IntakePolicy::check_owners(
    const mail::Envelope& envelope, const std::string& name,
    const std::vector<rewrite::Aliases::Target>& targets) const {
  if (std::ranges::all_of(targets, [](const auto& target) { return target.owner.empty(); }))
    return std::nullopt;
  std::set<std::string_view> owners;
  for (const mail::Recipient& recipient : envelope.recipients) owners.insert(recipient.owner);
  for (const rewrite::Aliases::Target& target : targets) {
    if (!owners.insert(target.owner).second || target.owner.empty()) continue;
    if (owners.size() > most_owners)
      return smtp::Reply{452, {4, 5, 3}, fmt::format("At most {} lists a message", most_owners - 1)};
    std::optional<smtp::Reply> refusal = check_list(target.owner, envelope);
    if (!refusal) continue;
    refusal->text = fmt::format("<{}> is a list of {}: {}", name, target.owner, refusal->text);
    return refusal;
  }
  return std::nullopt;
}

// Whom they are for, in the end. What becomes of a copy is nothing to the sender (RFC 3461 4.1: NEVER).
void IntakePolicy::add_copies(mail::Envelope& envelope) const {
  if (setup_.copies->empty()) return;
  const Result<std::vector<rewrite::Copy>> copies = setup_.copies->of(envelope.sender, envelope.recipients);
  if (!copies) {
    log_.error("alias_trouble", {{"from", envelope.sender}, {"reason", copies.error()}});
    throw accept::Refused{smtp::Reply{451, {4, 6, 0}, "Who gets a copy cannot be found out"}};
  }
  for (const rewrite::Copy& copy : *copies) {
    const std::optional<std::vector<std::string>> targets =
        setup_.aliases->expand(taken_recipient(envelope, copy.address));
    if (!targets) throw accept::Refused{expansion_error(copy.address)};
    for (const std::string& target : *targets) {
      if (suppressions_.on() && suppressions_.refusal(envelope.sender, target)) continue;  // the log is told
      envelope.smtp_utf8 = envelope.smtp_utf8 || !ascii::all_ascii(target);
      mail::Recipient& recipient = envelope.recipients.emplace_back();
      recipient.address = target;
      recipient.notify = "NEVER";
    }
  }
  rewrite::unite(envelope.recipients);
  if (envelope.recipients.size() > config::most_recipients) throw accept::Refused{too_many_recipients()};
}

// What stands in place of an address that cannot be read might be anybody's.
std::optional<smtp::Reply> IntakePolicy::check_author(const std::string& author,
                                                      const mail::Envelope& envelope,
                                                      const route::HeaderValues& header) const {
  if (!author.empty()) {
    std::optional<smtp::Reply> refusal = setup_.access->refuse_sender(author);
    const Routed message(envelope, 0, &header);
    for (const mail::Recipient& recipient : envelope.recipients) {
      if (refusal) break;
      route::Mail mail = message.to(recipient.address);
      mail.sender = author;
      refusal = rejection(setup_.router->route(mail));
      if (!setup_.router->asks_recipients()) break;
    }
    return refusal;
  }
  if (!tells_senders_apart(*setup_.config)) return std::nullopt;
  return smtp::Reply{550, {5, 7, 1}, "A message from <> needs a From field that can be read"};
}

// Whose mail goes where its recipients' rules say. Nothing where it depends on what is not known yet.
std::optional<smtp::Reply> IntakePolicy::check_route(const route::Mail& mail, const mail::Envelope& envelope,
                                                     std::uint64_t size) const {
  const route::Route route = setup_.router->route(mail);
  if (std::optional<smtp::Reply> reply = rejection(route, mail)) return reply;
  return route.open ? std::nullopt : lanes_.refusal(route.choices, envelope, size);
}

std::optional<smtp::Reply> IntakePolicy::check_list(const std::string& owner,
                                                    const mail::Envelope& envelope) const {
  const Routed message(envelope);
  route::Mail mail = message.mail();
  mail.sender = owner;
  return check_route(mail, envelope, 0);
}

// A recipient, where each has a route of its own. A null sender's mail may be routed by its header.
std::optional<smtp::Reply> IntakePolicy::refuse_unroutable(const mail::Envelope& envelope,
                                                           const std::string& address) const {
  if (!setup_.router->asks_recipients()) return std::nullopt;
  rewrite::Notes told_at_data;
  const std::string sender = taken_sender(envelope, told_at_data);
  const Routed message(envelope);
  route::Mail mail = message.to(address);
  mail.sender = sender;
  if (sender.empty()) mail.sender.reset();
  return rejection(setup_.router->route(mail), mail);
}

// Of the whole message: each way once.
std::optional<smtp::Reply> IntakePolicy::check_routes(const mail::Envelope& envelope, std::uint64_t size,
                                                      const route::HeaderValues& header) const {
  const Routed message(envelope, 0, &header);
  if (!setup_.router->asks_recipients()) return check_route(message.mail(), envelope, size);
  std::set<std::size_t> seen;
  for (const mail::Recipient& recipient : envelope.recipients) {
    const route::Mail mail = message.to(recipient.address);
    if (!seen.insert(setup_.router->route(mail).way).second) continue;
    if (std::optional<smtp::Reply> refusal = check_route(mail, envelope, size)) return refusal;
  }
  return std::nullopt;
}

std::unique_ptr<accept::Incoming> IntakePolicy::begin(const accept::ClientFacts& facts,
                                                      const mail::Envelope& envelope) {
  mail::Envelope taken = envelope;
  if (!setup_.taken->empty()) {
    // It may become another than at MAIL: a recipient may have made the message UTF-8 since.
    if (const std::optional<smtp::Reply> refusal = check_sender(facts, envelope, 0))
      throw accept::Refused{*refusal};
    rewrite::Notes notes;
    taken.sender = taken_sender(envelope, notes);
    tell_of(log_, {}, notes, setup_.config->file);
  }
  taken.provider_headers = facts.provider_headers;
  if (!setup_.aliases->empty() || !setup_.taken->empty()) rewrite::unite(taken.recipients);
  rewrite::unite(taken.expanded);
  IncomingTerms terms;
  terms.hostname = setup_.config->hostname;
  terms.origin = setup_.config->origin;
  terms.mark = mark_;
  terms.header_size = setup_.config->limits.header_size;
  terms.header_fields = setup_.config->limits.header_fields;
  const config::Account* const account = account_of(facts);
  if (account && (account->may_send_as_header || envelope.sender.empty()))
    terms.may_send_as = account->may_send_as;
  terms.taken = setup_.taken;
  terms.ways_out = setup_.ways_out;
  terms.access = setup_.access;
  terms.fate = setup_.access->decide(taken);
  if (!taken.recipients.empty()) add_copies(taken);
  terms.replaced = setup_.staging->replace(taken.recipients);
  terms.check_author = [this](const std::string& author, const mail::Envelope& whole,
                              const route::HeaderValues& header) {
    return check_author(author, whole, header);
  };
  terms.check_route = [this](const mail::Envelope& whole, std::uint64_t size,
                             const route::HeaderValues& header) { return check_routes(whole, size, header); };
  return std::make_unique<DraftIncoming>(loop_, log_, publisher_, queue_, facts, std::move(taken),
                                         std::move(terms));
}

}  // namespace relayd
