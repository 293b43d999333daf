#include "relay/reporter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "rewrite/aliases.hpp"
#include "rewrite/staging.hpp"
#include "shared/smtp/reply.hpp"

namespace relayd {

using async::Task;
using queue::MessageId;
using queue::QueueError;
using queue::RecipientState;
using tell::Reported;
using tell::ReportedRecipient;

namespace {

// Recipients who fail within this time share a report.
constexpr auto collect = std::chrono::seconds(5);
constexpr auto try_again = std::chrono::minutes(1);
constexpr unsigned most_tries = 60;  // of reading a message that a report is about
constexpr std::size_t at_once = 4;
constexpr std::size_t piece = 64 * 1024;

// By what silenced reports are counted: what the recipients are told, or "550 5.1.1", or why there is no
// such.
std::string reason_of(Reported::Kind kind, const tell::ReportedRecipient& recipient) {
  if (kind == Reported::Kind::delayed) return "late";
  if (kind != Reported::Kind::failed) return std::string(word_for(kind));
  if (recipient.expired) return "expired";
  if (recipient.code == 0) return recipient.host.empty() ? "no attempt or no reply" : "no reply";
  const std::string_view text = recipient.text;
  const std::string_view enhanced = text.substr(0, text.find(' '));
  const bool has_enhanced = enhanced.find('.') != std::string_view::npos && enhanced.size() <= 9;
  return has_enhanced ? fmt::format("{} {}", recipient.code, enhanced) : fmt::format("{}", recipient.code);
}

std::vector<mail::Recipient> named(const ReportedMessage& message, Reported::Kind kind,
                                   const std::vector<tell::ReportedRecipient>& recipients) {
  const auto& all =
      kind == Reported::Kind::expanded ? message.envelope.expanded : message.envelope.recipients;
  std::vector<mail::Recipient> names;
  for (const tell::ReportedRecipient& each : recipients) names.push_back(all[each.recipient]);
  return names;
}

// Who wrote to a list is told that his mail went there; the list's owner is told all else.
mail::Envelope envelope_told_of(const ReportedMessage& message, Reported::Kind kind) {
  mail::Envelope envelope = message.envelope;
  if (kind == Reported::Kind::expanded && envelope.list_sender) {
    envelope.sender = envelope.list_sender->address;
    envelope.envelope_id = envelope.list_sender->envelope_id;
  }
  return envelope;
}

// As the queue has it: what is no longer owed.
queue::Debt paid(Reported::Kind kind, const std::vector<tell::ReportedRecipient>& recipients) {
  queue::Debt debt;
  debt.expanded = kind == Reported::Kind::expanded;
  if (kind != Reported::Kind::expanded && kind != Reported::Kind::delayed)
    for (const tell::ReportedRecipient& each : recipients) debt.recipients.push_back(each.recipient);
  return debt;
}

}  // namespace

Reporter::Reporter(async::Loop& loop, async::Workers& workers, telemetry::Log& log,
                   const tell::Publisher& publisher, queue::Queue& queue, const Lanes& lanes,
                   IntakePolicy& intake, const Setup& setup)
    : loop_(loop),
      workers_(workers),
      log_(log),
      publisher_(publisher),
      queue_(queue),
      lanes_(lanes),
      intake_(intake),
      setup_(setup),
      due_(loop),
      late_(loop),
      period_(loop) {}

void Reporter::begin() {
  look_again();
}

void Reporter::shut_down() {
  stopping_ = true;
  due_.cancel();
  late_.cancel();
  period_.cancel();
}

// --- what is owed ---

void Reporter::owe(MessageId id) {
  if (owes(id) && known_.insert(id.value).second) put(id, collect);
}

// A report of the message.
bool Reporter::owes(MessageId id) const {
  const queue::Debt* const debt = queue_.debt(id);
  return debt && debt->owes_report();
}

void Reporter::remove_when_told(MessageId id) {
  queue::Message* const message = queue_.find(id);
  if (message && queue_.debt(id)) {
    removed_when_told_.insert(id.value);
    if (known_.insert(id.value).second) put(id, collect);
    return;
  }
  removed_when_told_.erase(id.value);
  if (message && has_ended(message->state)) queue_.remove(*message);
}

void Reporter::put(MessageId id, Duration wait) {
  const Waiting waiting{id, loop_.now() + wait};
  const auto place = std::ranges::upper_bound(waiting_, waiting.due, {}, &Waiting::due);
  waiting_.insert(place, waiting);
  arm();
}

void Reporter::arm() {
  if (stopping_ || waiting_.empty() || under_way_ == at_once) return;
  due_.at(std::max(waiting_.front().due, blocked_until_), [this] { begin_due(); });
}

void Reporter::begin_due() {
  const auto may_begin = [this] {
    return !stopping_ && under_way_ < at_once && !waiting_.empty() && waiting_.front().due <= loop_.now() &&
           blocked_until_ <= loop_.now();
  };
  while (may_begin()) {
    const MessageId id = waiting_.front().id;
    waiting_.pop_front();
    ++under_way_;
    scope_.spawn(pay(id));
  }
  arm();
}

Task<void> Reporter::pay(MessageId id) {
  std::string waits_for;
  bool full = false;
  try {
    waits_for = co_await pay_debt(id);
  } catch (const QueueError& error) {
    waits_for = error.what();
    full = error.kind() == QueueError::Kind::full;
  }
  // While the queue takes nothing, one tries for all.
  const bool is_known = full && loop_.now() < blocked_until_;
  if (full) blocked_until_ = loop_.now() + try_again;
  if (!waits_for.empty() && !is_known)
    log_.warning("report_waits", {{"id", queue::to_string(id)}, {"reason", waits_for}});
  --under_way_;
  if (removed_when_told_.contains(id.value)) remove_when_told(id);
  known_.erase(id.value);
  // Something may have come to be owed meanwhile; what is to be removed then may be owed to webhooks still.
  const bool comes_again = owes(id) || removed_when_told_.contains(id.value);
  if (comes_again && known_.insert(id.value).second)
    put(id, waits_for.empty() ? collect : Duration(try_again));
  arm();
}

// A disk that gave nothing for so long will not give it.
void Reporter::note_unreadable(MessageId id, std::string_view reason) {
  if (!owes(id))
    unreadable_.erase(id.value);
  else if (++unreadable_[id.value] == most_tries)
    give_up(id, reason);
}

// What a report would be about cannot be had, and will not be.
void Reporter::give_up(MessageId id, std::string_view reason) {
  unreadable_.erase(id.value);
  queue::Message* const message = queue_.find(id);
  const queue::Debt* const debt = queue_.debt(id);
  if (!message || !debt) return;
  const std::string text = queue::to_string(id);
  const std::string from(message->routing_sender);
  const queue::Debt owed{.recipients = debt->recipients, .expanded = debt->expanded};
  queue_.told(*message, {owed, 0, {}});
  publisher_.publish(Reported{.kind = Reported::Kind::failed,
                              .id = text,
                              .from = from,
                              .about = {},
                              .report = {},
                              .to = {},
                              .reason = reason});
}

// Why it has to be tried again; empty: nothing is owed any more.
Task<std::string> Reporter::pay_debt(MessageId id) {
  co_await queue_.flush();  // what is told of is durable
  const queue::Debt* debt = queue_.debt(id);
  if (!debt || !debt->owes_report()) co_return "";
  const queue::Debt before = *debt;
  ReportedMessage message;
  std::string unreadable;
  bool there = false;
  try {
    there = co_await read_message(queue_, workers_, id, message);
  } catch (const QueueError& error) {
    unreadable = error.what();
  }
  if (!unreadable.empty()) {
    note_unreadable(id, unreadable);
    co_return owes(id) ? unreadable : std::string();
  }
  unreadable_.erase(id.value);
  debt = queue_.debt(id);
  if (!there || !debt) co_return "";
  // Who has come to an end since the message was read has the next turn.
  queue::Debt owed{{}, {}, debt->expanded, {}};
  std::ranges::set_intersection(before.recipients, debt->recipients, std::back_inserter(owed.recipients));
  std::string waits_for;
  if (owed.expanded) {
    Order order{Reported::Kind::expanded, {}};
    for (std::uint32_t i = 0; i < message.envelope.expanded.size(); ++i)
      order.recipients.push_back({.recipient = i});
    waits_for = co_await write(message, std::move(order));
  }
  std::vector<Order> orders = orders_of(message, owed.recipients);
  for (Order& order : orders) {
    const std::string waits = co_await write(message, std::move(order));
    if (!waits.empty()) waits_for = waits;
  }
  const std::vector<std::uint32_t> waits = message.in_state(owed.recipients, RecipientState::pending);
  if (queue::Message* const known = waits.empty() ? nullptr : queue_.find(id))
    queue_.told(*known, {{.recipients = waits}, 0, {}});  // tried again meanwhile
  co_return waits_for;
}

// Of those who have come to an end.
std::vector<Reporter::Order> Reporter::orders_of(const ReportedMessage& message,
                                                 const std::vector<std::uint32_t>& owed) const {
  Order failed{Reported::Kind::failed, message.reported(message.in_state(owed, RecipientState::failed))};
  Order relayed{Reported::Kind::relayed, {}};
  Order delivered{Reported::Kind::delivered, {}};
  for (ReportedRecipient& each : message.reported(message.in_state(owed, RecipientState::delivered))) {
    const route::Upstream* const upstream = setup_.router->upstream(each.upstream);
    Order& order = upstream && upstream->is_last_hop() ? delivered : relayed;
    order.recipients.push_back(std::move(each));
  }
  std::vector<Order> orders;
  for (Order* const order : {&failed, &relayed, &delivered})
    if (!order->recipients.empty()) orders.push_back(std::move(*order));
  return orders;
}

// --- a report ---

// Writes it, or records that it need not be. Why it has to be tried again; empty: done. Throws QueueError
// where the queue cannot take it now.
Task<std::string> Reporter::write(const ReportedMessage& message, Order order) {
  const config::Bounce& bounce = setup_.config->bounce;
  std::vector<std::string> to;
  const bool off = bounce.from.empty();  // since it came to be owed
  const mail::Envelope envelope = envelope_told_of(message, order.kind);
  if (!off) to = tell::addressees(bounce, order.kind, envelope, message.marks);
  if (to.empty() || order.recipients.empty()) {
    told(message, order, {}, {}, off ? "`bounce.from` is not set any more" : "nobody is to be told");
    co_return "";
  }
  if (!limit_of(order.kind).has_room(bounce.limit, loop_.now())) {
    silence(message, order);
    co_return "";
  }
  queue::Draft draft = queue_.draft();
  const MessageId id = draft.id();
  const std::string text = queue::to_string(id);
  tell::Report report = compose(message, envelope, order, to, text);
  const std::optional<smtp::Reply> refusal = readdress(report);
  const std::string why = refusal ? smtp::one_line(*refusal) : std::string();
  if (report.envelope.recipients.empty()) {
    if (refusal && refusal->code < 500) co_return why;
    told(message, order, {}, {}, why);
    co_return "";
  }
  if (!is_still_so(message, order)) co_return "";
  ReportLimit& limit = limit_of(order.kind);
  limit.begin();
  try {
    co_await commit(std::move(draft), std::move(report));
  } catch (const QueueError&) {
    limit.give_back();
    throw;
  }
  if (is_still_so(message, order)) {
    told(message, order, text, fmt::format("{}", fmt::join(to, ",")), {});
    co_return "";
  }
  // The operator has it tried again meanwhile: what the report says is not true any more.
  limit.give_back();
  if (queue::Message* const written = queue_.find(id)) queue_.remove(*written);
  co_return "";
}

// What is to be said is still owed, or still late.
bool Reporter::is_still_so(const ReportedMessage& message, const Order& order) const {
  const queue::Message* const known = queue_.find(message.id);
  if (!known) return false;
  if (order.kind == Reported::Kind::delayed)
    return !has_ended(known->state) && age_to_warn_of(*known) >= order.delay;
  const queue::Debt* const debt = queue_.debt(message.id);
  const queue::Debt wanted = paid(order.kind, order.recipients);
  return debt && (debt->expanded || !wanted.expanded) &&
         std::ranges::includes(debt->recipients, wanted.recipients);
}

void Reporter::silence(const ReportedMessage& message, const Order& order) {
  const config::Rate limit = setup_.config->bounce.limit;
  ReportLimit& full = limit_of(order.kind);
  full.silenced(reason_of(order.kind, order.recipients.front()));
  if (!period_.armed()) {
    silenced_since_ = full.began();
    period_.at(full.end(limit), [this] { end_period(); });
  }
  told(message, order, {}, {}, "bounce.limit");
}

ReportLimit& Reporter::limit_of(Reported::Kind kind) {
  return kind == Reported::Kind::delayed ? warning_limit_ : limit_;
}

tell::Report Reporter::compose(const ReportedMessage& message, const mail::Envelope& envelope,
                               const Order& order, const std::vector<std::string>& to, std::string_view id) {
  const config::Config& config = *setup_.config;
  tell::ReportFacts facts{.kind = order.kind,
                          .hostname = config.hostname,
                          .from = config.bounce.from,
                          .to = to,
                          .id = id,
                          .about = {},
                          .envelope = envelope,
                          .arrived = message.accepted,
                          .now = loop_.wall_now(),
                          .recipients = order.recipients};
  const std::string about = queue::to_string(message.id);
  facts.about = about;
  facts.next_attempt = order.next_attempt;
  facts.retry_until = order.retry_until;
  facts.delay = order.delay;
  facts.header = message.header;
  facts.content = config.bounce.content;
  const bool returns_body = tell::returns_body(order.kind, envelope, config.bounce.content);
  if (returns_body && message.is_whole && message.text.size() <= tell::most_returned)
    facts.body = std::string_view(message.text).substr(message.header.size());
  for (std::uint64_t& bits : facts.random) bits = std::uint64_t{random_()} << 32 | random_();
  return tell::compose(facts);
}

// The addresses of a report stand for others as those of any mail do, and staging replaces them. No field
// names those: To does, as far as the reader may know. Returns the refusal of one; of several, one that may
// pass.
std::optional<smtp::Reply> Reporter::readdress(tell::Report& report) const {
  std::optional<smtp::Reply> refusal;
  for (mail::Recipient& recipient : std::exchange(report.envelope.recipients, {})) {
    std::optional<smtp::Reply> refused = intake_.add_recipient(report.envelope, std::move(recipient));
    if (refused && (!refusal || refused->code < 500)) refusal = std::move(refused);
  }
  rewrite::unite(report.envelope.recipients);
  setup_.staging->replace(report.envelope.recipients);
  return refusal;
}

Task<void> Reporter::commit(queue::Draft draft, tell::Report report) {
  std::string_view rest = report.content;
  while (!rest.empty()) {
    const bool full = draft.append(rest.substr(0, piece));
    rest.remove_prefix(std::min(rest.size(), piece));
    if (full) co_await draft.flush();
  }
  co_await queue_.commit(std::move(draft), report.envelope);
}

// The message may be gone: deleted while its report was written.
void Reporter::told(const ReportedMessage& message, const Order& order, const std::string& report,
                    std::string_view to, std::string_view reason) {
  if (queue::Message* const known = queue_.find(message.id))
    queue_.told(*known, {paid(order.kind, order.recipients), static_cast<std::uint32_t>(order.delay.count()),
                         report});
  const std::string id = queue::to_string(message.id);
  const std::vector<mail::Recipient> about = named(message, order.kind, order.recipients);
  publisher_.publish(Reported{.kind = order.kind,
                              .id = id,
                              .from = message.envelope.sender,
                              .about = about,
                              .report = report,
                              .to = to,
                              .reason = reason});
}

// --- too many ---

void Reporter::end_period() {
  if (!stopping_) scope_.spawn(write_summary());
}

Task<void> Reporter::write_summary() {
  const config::Config& config = *setup_.config;
  if (config.bounce.from.empty()) co_return;
  std::vector<tell::Silenced> reasons = limit_.take();
  std::ranges::move(warning_limit_.take(), std::back_inserter(reasons));
  std::vector<std::string> to = config.bounce.to;
  if (std::ranges::find(to, config.bounce.from) == to.end()) to.push_back(config.bounce.from);
  queue::Draft draft = queue_.draft();
  const std::string id = queue::to_string(draft.id());
  const std::string limit = config::to_string(config.bounce.limit);
  const auto ago = std::chrono::duration_cast<WallTime::duration>(loop_.now() - silenced_since_);
  tell::Report report = tell::compose_summary({.hostname = config.hostname,
                                               .from = config.bounce.from,
                                               .to = to,
                                               .id = id,
                                               .since = loop_.wall_now() - ago,
                                               .now = loop_.wall_now(),
                                               .limit = limit,
                                               .reasons = reasons});
  const std::optional<smtp::Reply> refusal = readdress(report);
  bool failed = report.envelope.recipients.empty() && refusal && refusal->code < 500;
  try {
    if (!report.envelope.recipients.empty()) co_await commit(std::move(draft), std::move(report));
  } catch (const QueueError& error) {
    log_.warning("report_waits", {{"id", id}, {"reason", error.what()}});
    failed = true;
  }
  if (!failed || stopping_) co_return;
  for (const tell::Silenced& each : reasons) limit_.silenced(each.reason, each.count);
  period_.at(loop_.now() + try_again, [this] { end_period(); });
}

}  // namespace relayd
