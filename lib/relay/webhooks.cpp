#include "relay/webhooks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "relay/lifetime.hpp"
#include "settle/decision.hpp"
#include "shared/crypto/sha256.hpp"
#include "shared/disk/whole_file.hpp"
#include "shared/http/url.hpp"

namespace relayd {

using async::Task;
using config::WebhookEvent;
using queue::MessageId;
using queue::RecipientOutcome;
using queue::RecipientState;
using tell::WebhookNews;

namespace {

constexpr std::size_t write_at = 64 * 1024;
constexpr Duration write_after = std::chrono::milliseconds(200);
constexpr Duration write_again_after = std::chrono::seconds(1);
constexpr std::size_t most_gathered = 1 << 20;  // of lines, for each receiver
constexpr std::size_t most_owed = 10'000;       // whose events are in them
constexpr Duration read_again_after = std::chrono::minutes(1);
constexpr unsigned most_tries = 60;  // of reading a message

// Of the URL, which may have a secret in its query.
std::string folder_of(const std::string& url) {
  crypto::Sha256 sha256;
  sha256.update(url);
  std::string name;
  for (const std::uint8_t each : sha256.finish()) fmt::format_to(std::back_inserter(name), "{:02x}", each);
  return name.substr(0, 32);
}

// The queue knows of it, and a crash does not lose it.
bool is_owed(WebhookEvent what) {
  return what == WebhookEvent::delivered || what == WebhookEvent::failed || what == WebhookEvent::expired;
}

WebhookEvent what_of(tell::Fate fate) {
  if (fate == tell::Fate::delivered) return WebhookEvent::delivered;
  return fate == tell::Fate::failed ? WebhookEvent::failed : WebhookEvent::deferred;
}

WebhookEvent what_of(const queue::Outcome& outcome, const RecipientOutcome& recipient) {
  if (recipient.state == RecipientState::delivered) return WebhookEvent::delivered;
  return outcome.upstream.empty() && is_expiry(recipient.text) ? WebhookEvent::expired : WebhookEvent::failed;
}

}  // namespace

struct Webhooks::Receiver {
  Receiver(const Webhooks& owner, const config::Webhook& webhook, WebhookSender::Receiver way)
      : url(webhook.url),
        folder(folder_of(url)),
        spool(owner.disk_, fmt::format("{}/{}", webhooks_folder, folder), owner.least_free_),
        sender(owner.loop_, owner.workers_, owner.log_, spool, std::move(way)) {}

  bool wants(WebhookEvent what) const {
    return configured && std::ranges::find(events, what) != events.end();
  }

  // It was taken away, and its disk fails: no message waits for it.
  void forget(telemetry::Log& log, const std::string& reason) {
    log.warning("webhooks_dropped", {{"receiver", sender.status().url},
                                     {"count", std::ranges::count(outgoing, '\n')},
                                     {"reason", reason}});
    outgoing.clear();
  }

  const std::string url;
  const std::string folder;
  WebhookSpool spool;
  WebhookSender sender;
  bool configured = true;
  std::vector<WebhookEvent> events;
  Bytes size;
  std::string gathered;  // lines
  std::string outgoing;  // those that are being written, or could not be
};

Webhooks::Webhooks(const Surroundings& surroundings, Hooks hooks, bool masked)
    : loop_(surroundings.loop),
      workers_(surroundings.workers),
      disk_(surroundings.disk),
      log_(surroundings.log),
      queue_(surroundings.queue),
      least_free_(surroundings.least_free),
      hooks_(std::move(hooks)),
      masked_(masked),
      timer_(loop_),
      again_(loop_) {}

Webhooks::~Webhooks() = default;

void Webhooks::owe(MessageId id) {
  if (!begun_) put_off(id);
}

void Webhooks::begin(const std::vector<config::Webhook>& webhooks, const Secrets& secrets) {
  begun_ = true;
  make_receivers(webhooks, secrets);
  for (const auto& receiver : receivers_) receiver->sender.begin();
  scope_.spawn(tidy());
  if (!late_.empty()) scope_.spawn(pay());
}

Task<void> Webhooks::tidy() {
  std::vector<std::string> known;
  for (const auto& receiver : receivers_) known.push_back(receiver->folder);
  const auto remove = [this, &known, now = loop_.wall_now()] { tidy_spools(disk_, known, now); };
  co_await workers_.run(remove);
}

// One that is not configured any more rests: it may come back.
void Webhooks::make_receivers(const std::vector<config::Webhook>& webhooks, const Secrets& secrets) {
  for (const auto& known : receivers_) {
    known->configured = false;
    known->sender.rest();
  }
  for (std::size_t i = 0; i < webhooks.size(); ++i) {
    const config::Webhook& webhook = webhooks[i];
    WebhookSender::Receiver way{http::shown(http::parse_url(webhook.url).value()), secrets[i],
                                hooks_.connect(webhook)};
    auto found =
        std::ranges::find_if(receivers_, [&](const auto& known) { return known->url == webhook.url; });
    if (found == receivers_.end()) {
      receivers_.push_back(std::make_unique<Receiver>(*this, webhook, std::move(way)));
      found = std::prev(receivers_.end());
    } else {
      (*found)->sender.use(std::move(way));
    }
    (*found)->configured = true;
    (*found)->events = webhook.events;
    (*found)->size = webhook.size;
  }
}

void Webhooks::use(const std::vector<config::Webhook>& webhooks, const Secrets& secrets) {
  if (!begun_ || stopping_) return;
  const std::size_t before = receivers_.size();
  make_receivers(webhooks, secrets);
  for (std::size_t i = before; i < receivers_.size(); ++i) receivers_[i]->sender.begin();
}

std::vector<watch::Status::Webhook> Webhooks::status() const {
  std::vector<watch::Status::Webhook> all;
  for (const auto& receiver : receivers_)
    if (receiver->configured) all.push_back(receiver->sender.status());
  return all;
}

// --- what is told ---

tell::Subscriber Webhooks::subscriber() {
  return {.attempted = [this](const tell::Outcome& outcome) { hear(outcome); },
          .given_up = [this](const tell::GivenUp& given_up) { hear(given_up); },
          .suppressed = [this](const tell::Suppressed& suppressed) { hear(suppressed); },
          .account_changed = [this](const tell::AccountNews& account) { hear(account); }};
}

void Webhooks::hear(const tell::Outcome& outcome) {
  if (receivers_.empty()) return;
  const std::string upstream(outcome.upstream);
  const bool suppressed = outcome.reply_class == "suppressed";
  RecipientOutcome kept{outcome.recipient, RecipientState::pending,
                        static_cast<std::uint16_t>(smtp::code_of(outcome.event)),
                        settle::recorded_text(outcome.event, suppressed)};
  if (outcome.fate == tell::Fate::delivered) kept.state = RecipientState::delivered;
  const std::string named = provider_id(upstream, kept);
  const WebhookNews news{.what = what_of(outcome.fate),
                         .id = outcome.id,
                         .recipient = outcome.recipient,
                         .when = outcome.when,
                         .from = outcome.from,
                         .to = outcome.to,
                         .upstream = outcome.upstream,
                         .host = outcome.host,
                         .code = kept.code,
                         .text = kept.text,
                         .provider_id = named};
  take(news);
}

void Webhooks::hear(const tell::GivenUp& given_up) {
  if (receivers_.empty()) return;
  for (std::size_t i = 0; i < given_up.recipients.size(); ++i)
    take({.what = given_up.why == tell::Ending::expired ? WebhookEvent::expired : WebhookEvent::failed,
          .id = given_up.id,
          .recipient = given_up.recipients[i],
          .when = given_up.when,
          .from = given_up.from,
          .to = given_up.to[i].address,
          .upstream = {},
          .host = {},
          .code = 0,
          .text = given_up.reason,
          .provider_id = {}});
}

void Webhooks::hear(const tell::AccountNews& account) {
  if (receivers_.empty()) return;
  take({.what = account.well ? WebhookEvent::account_ok : WebhookEvent::account_failing,
        .when = moment(),
        .upstream = account.upstream,
        .account = account.account,
        .text = account.reason});
}

WallTime Webhooks::moment() {
  last_of_none_ = std::max(loop_.wall_now(), last_of_none_ + std::chrono::microseconds(1));
  return last_of_none_;
}

void Webhooks::hear(const tell::Suppressed& suppressed) {
  if (receivers_.empty()) return;
  take({.what = WebhookEvent::suppressed,
        .id = suppressed.id,
        .recipient = 0,
        .when = moment(),
        .from = suppressed.from,
        .to = suppressed.to,
        .upstream = suppressed.upstream,
        .host = {},
        .code = 0,
        .text = suppressed.reason,
        .provider_id = {}});
}

std::string Webhooks::provider_id(const std::string& upstream, const RecipientOutcome& outcome) const {
  const bool taken = outcome.state == RecipientState::delivered && outcome.code != 0;
  return taken ? hooks_.provider_id(upstream, outcome) : std::string();
}

// An end is told where the queue says that it is owed, and what waits behind others of its message does.
void Webhooks::take(const WebhookNews& news) {
  if (!is_owed(news.what)) {
    if (has_room())
      gather(news);
    else
      ++lost_;
    return arrange();
  }
  const Result<MessageId> id = queue::parse_message_id(news.id);
  const queue::Debt* const debt = id ? queue_.debt(*id) : nullptr;
  if (!debt || !std::ranges::binary_search(debt->events, news.recipient)) return;
  if (is_late_.contains(id->value)) return;
  if (!has_room()) return put_off(*id);
  gather(news);
  gathered_.push_back({*id, news.recipient});
  arrange();
}

void Webhooks::gather(const WebhookNews& news) {
  std::string line;
  for (const auto& receiver : receivers_) {
    if (!receiver->wants(news.what)) continue;
    if (line.empty()) tell::append_webhook_event(line, news, masked_);
    receiver->gathered += line;
  }
}

bool Webhooks::has_room() const {
  return std::ranges::all_of(receivers_,
                             [](const auto& each) { return each->gathered.size() < most_gathered; }) &&
         gathered_.size() < most_owed;
}

void Webhooks::put_off(MessageId id) {
  if (is_late_.insert(id.value).second) late_.push_back(id);
}

// --- to the disk ---

// Soon, or at once when it is much.
void Webhooks::arrange() {
  if (writing_) return;  // the turn's end arranges the next
  const auto is_much = [](const auto& each) { return each->gathered.size() >= write_at; };
  const auto is_some = [](const auto& each) { return !each->gathered.empty() || !each->outgoing.empty(); };
  if (!failed_ && std::ranges::any_of(receivers_, is_much))
    scope_.spawn(write());
  else if (gathered_.empty() && outgoing_.empty() && std::ranges::none_of(receivers_, is_some))
    return;
  else if (!timer_.armed())
    timer_.at(loop_.now() + (failed_ ? write_again_after : write_after), [this] { scope_.spawn(write()); });
}

// Said once, when it begins.
void Webhooks::heed(const std::string& failure) {
  failed_ = !failure.empty();
  if (failed_ && !std::exchange(troubled_, true)) log_.warning("webhooks_not_written", {{"reason", failure}});
  if (!failed_ && troubled_) {
    troubled_ = false;
    log_.info("webhooks_written", {{"lost", std::exchange(lost_, 0)}});
  }
}

Task<void> Webhooks::write() {
  struct Job {
    Receiver* receiver;
    Bytes size;
    std::string failure = {};
  };
  if (writing_) co_return;
  writing_ = true;
  timer_.cancel();
  if (outgoing_.empty()) std::swap(gathered_, outgoing_);
  std::vector<Job> jobs;
  for (const auto& receiver : receivers_) {
    if (receiver->outgoing.empty()) std::swap(receiver->gathered, receiver->outgoing);
    if (!receiver->outgoing.empty()) jobs.push_back({receiver.get(), receiver->size});
  }
  co_await queue_.flush();  // what is told of is durable
  const auto append = [&jobs] {
    for (Job& job : jobs) {
      try {
        job.receiver->spool.append(job.receiver->outgoing, job.size);
        job.receiver->outgoing.clear();
      } catch (const disk::DiskError& error) {
        job.failure = error.what();
      }
    }
  };
  co_await workers_.run(append);
  std::string failure;
  for (const Job& job : jobs) {
    if (job.failure.empty()) continue;
    if (job.receiver->configured)
      failure = job.failure;
    else
      job.receiver->forget(log_, job.failure);
  }
  heed(failure);
  if (failure.empty()) tell_queue();
  for (const Job& job : jobs)
    if (job.receiver->outgoing.empty()) job.receiver->sender.wake();
  writing_ = false;
  for (async::Event* const over : std::exchange(waiting_, {})) over->set();
  arrange();
  if (!failed_ && !late_.empty() && !paying_ && !again_.armed()) scope_.spawn(pay());
}

// A message may be gone: deleted meanwhile, or it goes with this.
void Webhooks::tell_queue() {
  for (auto first = outgoing_.begin(); first != outgoing_.end();) {
    const MessageId id = first->id;
    queue::Told told;
    for (; first != outgoing_.end() && first->id == id; ++first) told.what.events.push_back(first->recipient);
    std::ranges::sort(told.what.events);
    if (queue::Message* const message = queue_.find(id)) queue_.told(*message, told);
  }
  outgoing_.clear();
}

Task<void> Webhooks::flush() {
  bool more = true;
  while (more) {
    if (writing_) {
      async::Event over;
      waiting_.push_back(&over);
      co_await over;
    } else {
      co_await write();
    }
    const auto is_empty = [](const auto& each) { return each->gathered.empty() && each->outgoing.empty(); };
    more =
        !failed_ && (!gathered_.empty() || !outgoing_.empty() || !std::ranges::all_of(receivers_, is_empty));
  }
}

void Webhooks::shut_down() {
  stopping_ = true;
  again_.cancel();
  for (const auto& receiver : receivers_) receiver->sender.shut_down();
}

Task<void> Webhooks::drained() {
  timer_.cancel();
  co_await scope_.drained();
  timer_.cancel();
  for (const auto& receiver : receivers_) co_await receiver->sender.drained();
}

// --- what an earlier process owes, or had no room ---

bool Webhooks::is_under_way(MessageId id) const {
  const auto is_of = [id](const Owed& each) { return each.id == id; };
  return std::ranges::any_of(gathered_, is_of) || std::ranges::any_of(outgoing_, is_of);
}

// As long as there is room; the end of a write goes on.
Task<void> Webhooks::pay() {
  if (paying_) co_return;
  paying_ = true;
  bool goes_on = true;
  while (goes_on && !stopping_ && !late_.empty() && has_room() && !is_under_way(late_.front())) {
    goes_on = co_await pay_first();
    arrange();
  }
  paying_ = false;
  if (!goes_on && !stopping_) again_.at(loop_.now() + read_again_after, [this] { scope_.spawn(pay()); });
}

// False: the disk cannot give it now.
Task<bool> Webhooks::pay_first() {
  const MessageId id = late_.front();
  late_.pop_front();
  const queue::Debt* debt = queue_.debt(id);
  const queue::Debt before = debt ? *debt : queue::Debt();
  ReportedMessage message;
  std::string unreadable;
  bool there = false;
  try {
    if (!before.events.empty()) there = co_await read_message(queue_, workers_, id, message);
  } catch (const queue::QueueError& error) {
    unreadable = error.what();
  }
  is_late_.erase(id.value);
  debt = queue_.debt(id);
  if (!debt || debt->events.empty()) {
    unreadable_.erase(id.value);
    co_return true;
  }
  if (!unreadable.empty() && ++unreadable_[id.value] == most_tries) {
    give_up(id, unreadable);
    co_return true;
  }
  if (!unreadable.empty()) {
    put_off(id);
    co_return false;
  }
  unreadable_.erase(id.value);
  // Who has come to an end since the message was read has another turn.
  std::vector<std::uint32_t> owed;
  if (there && debt->since == before.since)
    std::ranges::set_intersection(before.events, debt->events, std::back_inserter(owed));
  if (owed.size() < debt->events.size()) put_off(id);
  make(id, message, owed);
  co_return true;
}

// By what the newest outcome of each says, in the order of the outcomes.
void Webhooks::make(MessageId id, const ReportedMessage& message, const std::vector<std::uint32_t>& owed) {
  const std::string text = queue::to_string(id);
  std::vector<Owed> told;
  std::unordered_map<std::uint32_t, const queue::Outcome*> newest;
  for (const queue::HistoryEvent& event : message.history)
    for (const RecipientOutcome& one : event.outcome.recipients)
      if (one.state == RecipientState::delivered || one.state == RecipientState::failed)
        newest[one.recipient] = &event.outcome;
  for (const queue::HistoryEvent& event : message.history)
    for (const RecipientOutcome& one : event.outcome.recipients) {
      const bool is_newest = newest.contains(one.recipient) && newest[one.recipient] == &event.outcome;
      if (!is_newest || !std::ranges::binary_search(owed, one.recipient)) continue;
      const std::string named = provider_id(event.outcome.upstream, one);
      gather({.what = what_of(event.outcome, one),
              .id = text,
              .recipient = one.recipient,
              .when = event.outcome.when,
              .from = message.envelope.sender,
              .to = message.envelope.recipients[one.recipient].address,
              .upstream = event.outcome.upstream,
              .host = event.outcome.host,
              .code = one.code,
              .text = one.text,
              .provider_id = named});
    }
  for (const std::uint32_t each : owed) gathered_.push_back({id, each});
}

// A disk that gave nothing for so long will not give it.
void Webhooks::give_up(MessageId id, const std::string& reason) {
  unreadable_.erase(id.value);
  const queue::Debt* const debt = queue_.debt(id);
  queue::Message* const message = queue_.find(id);
  if (!debt || !message) return;
  queue::Told told;
  told.what.events = debt->events;
  log_.warning("webhook_not_made", {{"id", queue::to_string(id)}, {"reason", reason}});
  queue_.told(*message, told);
}

}  // namespace relayd
