#include "watch/events.hpp"

#include <fmt/format.h>

#include <optional>

#include "watch/live.hpp"

namespace relayd::watch {

using async::Task;
using nlohmann::json;

namespace {

std::string event_text(std::string_view name, const json& data) {
  return fmt::format("event: {}\ndata: {}\n\n", name,
                     data.dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace

Events::Events(async::Loop& loop, async::Workers& workers, std::function<Task<Status>()> ask,
               const Series& series)
    : loop_(loop), workers_(workers), ask_(std::move(ask)), series_(series) {}

Task<void> Events::follow(http::Exchange& exchange) {
  const std::vector<http::Header> headers = {{"Content-Type", "text/event-stream"}};
  co_await exchange.begin(200, headers);
  if (!exchange.wants_body()) {
    co_await exchange.end();
    co_return;
  }
  if (followers_.size() >= most_followers) drop_oldest();
  struct Place {
    std::list<Follower>& all;
    std::list<Follower>::iterator mine;
    ~Place() { all.erase(mine); }
  } place{followers_, followers_.emplace(followers_.end(), exchange)};
  Follower& me = *place.mine;
  me.points = series_.count();
  if (!watching_) scope_.spawn(watch());
  for (;;) {
    std::string text;
    if (me.seen != version_) text = me.seen + 1 == version_ && me.seen > 0 ? change_ : whole_;
    if (me.points != series_.count()) text += fmt::format("event: point\ndata: {}\n\n", series_.newest());
    if (text.empty()) text = ": well\n\n";
    me.seen = version_;
    me.points = series_.count();
    co_await exchange.write(text);
    if (me.seen == version_ && me.points == series_.count()) co_await me.news;
  }
}

// It may have gone long ago: that shows only once it is told something.
void Events::drop_oldest() {
  Follower& oldest = followers_.front();
  oldest.exchange.close();
  oldest.news.set();
}

Task<void> Events::watch() {
  watching_ = true;
  while (!followers_.empty()) {
    co_await look();
    co_await async::sleep_until(loop_, loop_.now() + period);
  }
  watching_ = false;
  version_ = 0;
}

Task<void> Events::look() {
  Status status = co_await ask_();
  struct News {
    json document;
    std::string whole, change;
  };
  const json* const before = version_ == 0 ? nullptr : &document_;
  const auto compare = [&status, before]() -> std::optional<News> {
    json now = live_document(std::move(status));
    const json change = before ? changes_between(*before, now) : json::object();
    if (change.is_null()) return std::nullopt;
    const std::string whole = event_text("whole", now);
    return News{std::move(now), whole, event_text("change", change)};
  };
  std::optional<News> news = co_await workers_.run(compare);
  if (news) {
    ++version_;
    document_ = std::move(news->document);
    whole_ = std::move(news->whole);
    change_ = std::move(news->change);
  } else if (points_ == series_.count() && loop_.now() - said_ < heartbeat) {
    co_return;
  }
  points_ = series_.count();
  said_ = loop_.now();
  for (auto at = followers_.begin(); at != followers_.end();) (at++)->news.set();  // one may go at once
}

}  // namespace relayd::watch
