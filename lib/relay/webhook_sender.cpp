#include "relay/webhook_sender.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "shared/http/retry_after.hpp"
#include "shared/telemetry/text.hpp"

namespace relayd {

using async::Task;
using std::chrono::seconds;

namespace {

constexpr std::array waits = {seconds(5),    seconds(300),   seconds(1800),
                              seconds(7200), seconds(18000), seconds(36000)};
constexpr Duration patience = seconds(20);
constexpr WallTime::duration disk_wait = std::chrono::minutes(1);
constexpr Duration said_once_in = std::chrono::hours(1);
constexpr int gone = 410;

}  // namespace

void WebhookSender::begin() {
  working_ = true;
  scope_.spawn(work(true));
}

void WebhookSender::wake() {
  if (stopping_ || resting_ || disabled_) return;
  if (working_)
    woken_ = true;
  else if (!timer_.armed())
    begin_again();
}

void WebhookSender::begin_again() {
  working_ = true;
  scope_.spawn(work(false));
}

void WebhookSender::use(Receiver receiver) {
  next_receiver_ = std::move(receiver);
  disabled_ = resting_ = false;
  timer_.cancel();
  wake();
}

void WebhookSender::rest() {
  resting_ = true;
  timer_.cancel();
}

void WebhookSender::shut_down() {
  stopping_ = true;
  timer_.cancel();
  stop_.request_stop();
}

// Until nothing waits, or something has to be waited for.
Task<void> WebhookSender::work(bool first) {
  bool failed = false;
  try {
    if (first) {
      const auto recall = [this] { return spool_.trouble(); };
      trouble_ = co_await workers_.run(recall);
      failed = trouble_.tries > 0;
    }
    for (bool more = !failed; more && !stopping_ && !resting_;) {
      woken_ = false;
      more = co_await tell_next();
      failed = !more && trouble_.tries > 0 && batch_;
      if (!failed) more |= woken_;
    }
  } catch (const disk::DiskError& error) {
    if (!std::exchange(disk_failed_, true))
      log_.warning("webhooks_not_written", {{"receiver", receiver_.shown}, {"reason", error.what()}});
    failed = true;
  }
  working_ = false;
  if (stopping_ || resting_) co_return;
  if (next_receiver_) co_return begin_again();
  if (failed && !disabled_) timer_.at(loop_.now() + time_left(), [this] { begin_again(); });
}

// To the next try.
Duration WebhookSender::time_left() const {
  const WallTime::duration least = disk_failed_ ? disk_wait : WallTime::duration();
  return std::clamp<WallTime::duration>(trouble_.next - loop_.wall_now(), least, http::longest_retry_after);
}

// One request. False: nothing waits, or it failed.
Task<bool> WebhookSender::tell_next() {
  if (next_receiver_) {
    receiver_ = std::move(*next_receiver_);
    next_receiver_.reset();
    disabled_ = false;
  }
  const bool there = co_await read_next();
  if (!there || stopping_) co_return false;
  asked_wait_ = {};
  const std::string failure = co_await post();
  if (stopping_ && !failure.empty()) co_return false;
  WebhookSpool::Trouble trouble;
  if (failure.empty()) {
    taken_ = true;
    sent_ += batch_->events;
    if (trouble_.tries > 0)
      log_.info("webhook_works", {{"receiver", receiver_.shown}, {"waiting", spool_.waiting()}});
  } else {
    if (trouble_.tries == 0 || disabled_)
      log_.warning(disabled_ ? "webhook_disabled" : "webhook_failed",
                   {{"receiver", receiver_.shown}, {"reason", failure}, {"waiting", spool_.waiting()}});
    const Duration base = waits[std::min<std::size_t>(trouble_.tries, waits.size() - 1)];
    std::uniform_real_distribution<double> jitter(0.9, 1.1);
    const auto wait = std::max(std::chrono::duration_cast<WallTime::duration>(base * jitter(random_)),
                               std::chrono::duration_cast<WallTime::duration>(asked_wait_));
    const WallTime now = loop_.wall_now();
    trouble = {trouble_.tries + 1, trouble_.tries == 0 ? now : trouble_.since, now + wait, failure};
  }
  const bool worked = failure.empty();
  co_await note(std::move(trouble));
  co_return worked;
}

Task<bool> WebhookSender::read_next() {
  const auto read = [this, taken = taken_, now = loop_.wall_now()] { return spool_.next(taken, now); };
  std::optional<tell::WebhookBatch> batch = co_await workers_.run(read);
  batch_ = std::move(batch);
  taken_ = false;
  if (std::exchange(disk_failed_, false)) log_.info("webhooks_written", {{"receiver", receiver_.shown}});
  say_dropped();
  co_return batch_.has_value();
}

void WebhookSender::say_dropped() {
  const std::uint64_t dropped = spool_.dropped();
  if (dropped == said_dropped_ || loop_.now() < next_said_dropped_) return;
  log_.warning("webhooks_dropped", {{"receiver", receiver_.shown},
                                    {"count", dropped - said_dropped_},
                                    {"reason", "they were a day old, or more waited than `size` allows"}});
  said_dropped_ = dropped;
  next_said_dropped_ = loop_.now() + said_once_in;
}

// The status is that of the last try, whether the disk keeps it or not.
Task<void> WebhookSender::note(WebhookSpool::Trouble trouble) {
  trouble_ = std::move(trouble);
  const auto write = [this, copy = trouble_] { spool_.note(copy); };
  co_await workers_.run(write);
}

http::Request WebhookSender::request() const {
  const auto now = std::chrono::floor<seconds>(loop_.wall_now()).time_since_epoch().count();
  return {.headers = {{"Content-Type", "application/json"},
                      {"User-Agent", "relayd"},
                      {"webhook-id", batch_->id},
                      {"webhook-timestamp", fmt::format("{}", now)},
                      {"webhook-signature",
                       tell::webhook_signature(receiver_.secrets, batch_->id, now, batch_->body)}},
          .body = batch_->body};
}

// Why it was not taken; empty: it was.
Task<std::string> WebhookSender::post() {
  const http::Request post = request();
  http::Response response;
  std::string failure;
  const Deadline deadline = loop_.now() + patience;
  const std::stop_token stop = stop_.get_token();
  try {
    response = co_await receiver_.client->exchange(post, deadline, stop);
    heed(response);
    if (response.status / 100 != 2) failure = fmt::format("HTTP status {}", response.status);
  } catch (const async::IoError& error) {
    failure = error.what();
  }
  co_return failure;
}

void WebhookSender::heed(const http::Response& response) {
  if (response.status == gone) disabled_ = true;
  if (response.status / 100 == 2) return;
  for (const http::Header& header : response.headers)
    if (header.name == "retry-after")
      asked_wait_ = http::retry_after(header.value, loop_.wall_now()).value_or(seconds(0));
}

watch::Status::Webhook WebhookSender::status() const {
  return {.url = receiver_.shown,
          .waiting = spool_.waiting(),
          .sent = sent_,
          .dropped = spool_.dropped(),
          .disabled = disabled_,
          .failure = trouble_.failure,
          .since = trouble_.since,
          .next = trouble_.next};
}

}  // namespace relayd
