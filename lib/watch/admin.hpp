// Admin: the operator's window into a running relay, a unix socket that takes one request a connection.
//
// Beside the path; owned by the relay. A request is a line of JSON (admin_request.hpp), the answer is a line
// of JSON for each message and one at the end, written as they are made, so that a list of a million messages
// needs no memory; the answer to `status` is a single line (status.hpp). Only the daemon's user and root can
// connect.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "queue/queue.hpp"
#include "shared/async/scope.hpp"
#include "shared/async/workers.hpp"
#include "shared/net/acceptor.hpp"
#include "shared/telemetry/metrics.hpp"
#include "tell/outcome.hpp"
#include "watch/admin_request.hpp"
#include "watch/reload.hpp"
#include "watch/status.hpp"
#include "watch/suppress.hpp"

namespace relayd::watch {

class Admin {
 public:
  // What the window asks of the relay around the queue.
  struct Hooks {
    // The upstreams that a message may go to now, in order; the first is where it waits.
    std::function<std::vector<std::string>(const queue::Message&)> upstreams_of;
    // What an upstream called the message in a reply that the history has; empty: it named no id.
    std::function<std::string(const std::string& upstream, const queue::RecipientOutcome&)> provider_id;
    // The operator wants it tried: whatever pauses its way must not stand before it.
    std::function<void(const queue::Message&)> clear_way;
    // Stops, or lets go on, the lanes of an upstream, or of one account there; returns their user names.
    std::function<std::vector<std::string>(const std::string& upstream, const std::string& account,
                                           bool stops)>
        steer;
    // Fails all who are left of a message, has its sender told, and then removes it. Why not; empty: done.
    std::function<async::Task<std::string>(queue::MessageId)> bounce;
    // The operator has done that to a message.
    std::function<void(const tell::Handled&)> handled;
    // How it stands, but for the oldest message.
    std::function<Status()> status;
    // The same while the queue is being read, and nothing can be asked of it.
    std::function<std::optional<Status>()> starting;
    // Adds what takes a look at files, for the metrics. Blocks; on a helper thread.
    std::function<void(Status&)> look;
    // Reads the configuration again; also while the queue is being read.
    std::function<async::Task<Reload>()> reload;
    // Has what is known of messages in the files of the history.
    std::function<async::Task<void>()> write_history;
    // What has been counted since the start.
    std::function<std::vector<telemetry::Family>()> metrics;
    // Who is suppressed; outlives this.
    SuppressionDesk& suppressions;
  };

  // Binds; throws net::BindError.
  Admin(net::AsioLoop& loop, async::Workers& workers, queue::Queue& queue, const std::string& path,
        Hooks hooks);

  // No new requests. Those under way end with their connections.
  void close() { acceptor_->close(); }

 private:
  async::Task<void> serve(std::unique_ptr<async::Stream> stream);
  async::Task<void> put_off(async::Stream& stream, const Request& request, const Status& starting);
  async::Task<void> tell_health(async::Stream& stream, const char* health);
  async::Task<void> answer(async::Stream& stream, const Request& request, std::string& rest);
  async::Task<void> suppress(async::Stream& stream, const Request& request, std::string& text);
  async::Task<Status> status();
  async::Task<void> tell_status(async::Stream& stream);
  async::Task<void> tell_metrics(async::Stream& stream);
  async::Task<void> reload(async::Stream& stream);
  async::Task<void> write_history(async::Stream& stream);
  async::Task<void> steer(async::Stream& stream, const Request& request);
  async::Task<void> visit(async::Stream& stream, const Request& request);
  async::Task<void> show(async::Stream& stream, const Request& request);
  async::Task<void> send_content(async::Stream& stream, const queue::Content& content);
  async::Task<bool> wanted(const Request& request, queue::MessageId id);
  async::Task<std::string> bounce(queue::MessageId id);
  std::string act(const Request& request, queue::Message& message);
  std::string describe(const queue::Message& message) const;
  std::string describe_whole(const queue::Message& message, const queue::Content& content,
                             const std::vector<queue::HistoryEvent>& events, std::string_view header,
                             bool body_follows) const;
  async::Task<void> tell(async::Stream& stream, const Request& request, std::string_view lines);
  async::Task<void> write(async::Stream& stream, std::string_view bytes);

  async::Loop& loop_;
  async::Workers& workers_;
  queue::Queue& queue_;
  Hooks hooks_;
  async::Scope scope_;
  std::unique_ptr<net::Acceptor> acceptor_;
};

}  // namespace relayd::watch
