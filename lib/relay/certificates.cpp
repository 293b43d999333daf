#include "relay/certificates.hpp"

namespace relayd {

using async::Task;
using net::TlsServerContext;

namespace {

struct Look {
  std::string stamp;  // of the files as they are
  Result<std::shared_ptr<TlsServerContext>> made = std::shared_ptr<TlsServerContext>();  // null: nothing new
};

Look look_at(const TlsServerContext& used, const std::string& tried) {
  Look look{TlsServerContext::stamp(used.files())};
  if (look.stamp != used.stamp() && look.stamp != tried) look.made = TlsServerContext::create(used.files());
  return look;
}

}  // namespace

void Certificates::watch(std::shared_ptr<TlsServerContext> context) {
  context_ = std::move(context);
  tried_.clear();
  wait();
}

void Certificates::close() {
  context_ = nullptr;
  alarm_.cancel();
}

void Certificates::wait() {
  if (!context_) return alarm_.cancel();
  alarm_.at(loop_.now() + interval, [this] { scope_.spawn(look()); });
}

Task<void> Certificates::look() {
  const std::shared_ptr<TlsServerContext> used = context_;
  const std::string tried = tried_;
  const Look found = co_await workers_.run([&used, &tried] { return look_at(*used, tried); });
  if (used != context_) co_return;  // a reload came first, and has set the alarm
  if (!found.made) {
    tried_ = found.stamp;
    log_.error("reload_failed", {{"reason", found.made.error()}});
  } else if (*found.made) {
    context_ = *found.made;
    use_(context_);
    log_.info("reloaded", {{"reason", "the listeners' certificates have changed"}});
  }
  wait();
}

}  // namespace relayd
