// Desk: answers what the operator asks of a running relay.
//
// Beside the path; owned by the relay. A request comes by the admin socket (admin.hpp) or by HTTP (web.hpp).
// The answer is a line of JSON for each message and one at the end, handed on as they are made, so that a
// list of a million messages needs no memory; the answer to `status` is a single line (status.hpp).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "queue/queue.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/workers.hpp"
#include "shared/telemetry/metrics.hpp"
#include "tell/outcome.hpp"
#include "watch/admin_request.hpp"
#include "watch/listing.hpp"
#include "watch/reload.hpp"
#include "watch/status.hpp"
#include "watch/suppress.hpp"

namespace relayd::watch {

class Desk {
 public:
  // What the window asks of the relay around the queue.
  struct Hooks {
    // The upstreams that a message may go to now, in order; the first is where it waits.
    std::function<std::vector<std::string>(const queue::Message&)> upstreams_of;
    // The same with the accounts there, and the rules that say so.
    std::function<std::vector<RouteSeen>(const queue::Message&)> routes_of;
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
    std::function<async::Task<Status>()> status;
    // The same while the queue is being read, and nothing can be asked of it.
    std::function<std::optional<Status>()> starting;
    // Why it takes no mail now; nothing: it does.
    std::function<async::Task<std::vector<std::string>>()> not_ready;
    // Adds what takes a look at files. Blocks; on a helper thread.
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

  Desk(async::Loop& loop, async::Workers& workers, queue::Queue& queue, Hooks hooks);

  // What is said to be done is on disk. While the queue is being read, the answer is how far that is, but to
  // `reload` and `history`. `text`: what followed the request, which an import brings.
  async::Task<void> answer(const Request& request, const std::string& text, const Answer& answer);

  // The queue is being read.
  bool is_starting() const { return hooks_.starting().has_value(); }
  // How it stands; not while it is starting.
  async::Task<Status> status();
  // What has been counted and how it stands, as Prometheus reads it; not while it is starting.
  async::Task<std::string> metrics(telemetry::MetricFormat format);

 private:
  async::Task<void> put_off(const Answer& answer, const Request& request, const Status& starting);
  async::Task<void> tell_health(const Answer& answer);
  async::Task<void> tell_status(const Answer& answer);
  async::Task<void> tell_metrics(const Answer& answer);
  async::Task<void> reload(const Answer& answer);
  async::Task<void> write_history(const Answer& answer);
  async::Task<void> steer(const Answer& answer, const Request& request);
  async::Task<void> visit(const Answer& answer, const Request& request);
  async::Task<void> show(const Answer& answer, const Request& request);
  async::Task<void> send_content(const Answer& answer, const queue::Content& content);
  async::Task<bool> wanted(const Request& request, queue::MessageId id);
  async::Task<std::string> bounce(queue::MessageId id);
  std::string act(const Request& request, queue::Message& message);
  std::string describe(const queue::Message& message) const;
  async::Task<std::string> describe_in_detail(queue::MessageId id);
  std::string describe_whole(const queue::Message& message, const queue::Content& content,
                             const std::vector<queue::HistoryEvent>& events, std::string_view header,
                             bool body_follows) const;
  async::Task<void> tell(const Answer& answer, const Request& request, std::string_view lines);

  async::Loop& loop_;
  async::Workers& workers_;
  queue::Queue& queue_;
  Hooks hooks_;
};

}  // namespace relayd::watch
