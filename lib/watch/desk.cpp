#include "watch/desk.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "shared/base/counted.hpp"
#include "watch/answer.hpp"
#include "watch/metrics.hpp"

namespace relayd::watch {

using async::Task;
using nlohmann::json;
using queue::Message;
using queue::MessageId;
using queue::MessageState;

namespace {

constexpr std::size_t write_at_least = 64 * 1024;
constexpr std::size_t turn = 256;  // messages, until others have one
constexpr std::size_t header_shown = 64 * 1024;

// Without an id it is about the request.
std::string error_line(const std::string& id, const std::string& error) {
  json object = {{"error", error}};
  if (!id.empty()) object["id"] = id;
  return line_of(object);
}

std::string end_line(std::size_t count) {
  return line_of({{"end", true}, {"count", count}});
}

json describe_event(const queue::HistoryEvent& event, const mail::Envelope& envelope,
                    const Desk::Hooks& hooks) {
  json object = {{"event", queue::to_string(event.kind)}, {"time", time_text(event.when)}};
  if (event.attempts != 0) object["attempts"] = event.attempts;
  if (!event.report.empty()) object["report"] = event.report;
  const queue::Outcome& outcome = event.outcome;
  if (!outcome.upstream.empty())
    object.update({{"upstream", outcome.upstream}, {"account", outcome.username}, {"host", outcome.host}});
  for (const queue::RecipientOutcome& recipient : outcome.recipients) {
    if (recipient.recipient >= envelope.recipients.size()) continue;
    json told = {{"to", envelope.recipients[recipient.recipient].address},
                 {"state", queue::to_string(recipient.state)},
                 {"code", recipient.code},
                 {"response", recipient.text}};
    if (recipient.state == queue::RecipientState::delivered)
      if (const std::string id = hooks.provider_id(outcome.upstream, recipient); !id.empty())
        told["provider_id"] = id;
    object["recipients"].push_back(std::move(told));
  }
  return object;
}

// The message is in this state, or one of its shipments is.
bool is_in_state(const Message& message, std::string_view state) {
  bool found = queue::to_string(message.state) == state;
  message.for_each_shipment(
      [&](const queue::Shipment& shipment) { found |= queue::to_string(shipment.state) == state; });
  return found;
}

bool waits_in_doubt(const Message& message) {
  bool found = false;
  message.for_each_shipment([&found](const queue::Shipment& shipment) {
    found |= shipment.in_doubt() && shipment.state != MessageState::ready;
  });
  return found;
}

json describe_shipment(const queue::Shipment& shipment, SteadyTime now) {
  json object = {{"state", queue::to_string(shipment.state)},
                 {"pending", shipment.unsent},
                 {"attempts", shipment.attempts}};
  if (shipment.in_doubt())
    object.update({{"in_doubt", true}, {"doubted", shipment.doubted}, {"doubts", shipment.doubts}});
  if (shipment.state != MessageState::waiting) return object;
  const auto wait = std::chrono::duration_cast<std::chrono::seconds>(shipment.due - now);
  object["due_in"] = shipment.line != 0 ? 0 : std::max<std::int64_t>(0, wait.count());
  if (shipment.line != 0) object["in_line"] = true;
  return object;
}

// The header block of the text at the front of a message.
std::string_view header_of(std::string_view text) {
  const std::size_t end = text.find("\r\n\r\n");
  return end == std::string_view::npos ? text : text.substr(0, end + 2);
}

// Enough of a message to contain its header. Blocks if it has a file of its own.
std::string front_of(const queue::Content& content) {
  if (content.file < 0) return content.body.substr(0, header_shown);
  std::string front(header_shown, '\0');
  front.resize(
      static_cast<std::size_t>(std::max<ssize_t>(0, ::pread(content.file, front.data(), front.size(), 0))));
  return front;
}

}  // namespace

Desk::Desk(async::Loop& loop, async::Workers& workers, queue::Queue& queue, Hooks hooks)
    : loop_(loop), workers_(workers), queue_(queue), hooks_(std::move(hooks)) {}

Task<void> Desk::answer(const Request& request, const std::string& text, const Answer& answer) {
  const std::optional<Status> starting = hooks_.starting();
  if (request.command == "reload")
    co_await reload(answer);
  else if (request.command == "history")
    co_await write_history(answer);
  else if (starting)
    co_await put_off(answer, request, *starting);
  else if (request.command == "health")
    co_await tell_health(answer);
  else if (request.command == "show")
    co_await show(answer, request);
  else if (request.command == "status")
    co_await tell_status(answer);
  else if (request.command == "metrics")
    co_await tell_metrics(answer);
  else if (request.command == "pause" || request.command == "resume")
    co_await steer(answer, request);
  else if (request.is_of_suppressed())
    co_await answer_suppress(hooks_.suppressions, workers_, request, text, loop_.wall_now(), answer);
  else
    co_await visit(answer, request);
}

// Before the queue is read.
Task<void> Desk::put_off(const Answer& answer, const Request& request, const Status& starting) {
  if (request.command == "health") {
    const std::string line = line_of({{"health", "starting"}});
    co_await answer(line);
    co_return;
  }
  const queue::Progress progress = *starting.starting;
  std::string line = error_line(
      "", fmt::format("starting: the queue is being read, {} and {} of {} "
                      "octets so far; try again in a moment",
                      counted(progress.messages, "message"), progress.read.count, progress.total.count));
  if (request.command == "status") line = to_line(starting);
  co_await answer(line);
}

// For probes.
Task<void> Desk::tell_health(const Answer& answer) {
  const std::vector<std::string> reasons = co_await hooks_.not_ready();
  json object = {{"health", reasons.empty() ? "well" : "not_ready"}};
  if (!reasons.empty()) object["reasons"] = reasons;
  const std::string line = line_of(object);
  co_await answer(line);
}

Task<Status> Desk::status() {
  Status status = co_await hooks_.status();
  const Message* oldest = co_await queue_.oldest();
  if (oldest) status.oldest = {oldest->id(), oldest->accepted};
  const auto look = [this, &status] { hooks_.look(status); };
  co_await workers_.run(look);
  co_return status;
}

Task<std::string> Desk::metrics(telemetry::MetricFormat format) {
  Status status = co_await this->status();
  std::vector<telemetry::Family> counted = hooks_.metrics();
  const auto make = [&status, &counted, format] {
    return metrics_text(std::move(status), std::move(counted), format);
  };
  co_return co_await workers_.run(make);
}

// A line that says how many octets of text follow.
Task<void> Desk::tell_metrics(const Answer& answer) {
  const std::string text = co_await metrics(telemetry::MetricFormat::text);
  const std::string line = line_of({{"octets", text.size()}});
  co_await answer(line);
  co_await answer(text);
}

// There may be many lanes: the loop copies them, another thread makes the text.
Task<void> Desk::tell_status(const Answer& answer) {
  Status status = co_await this->status();
  const auto make = [&status] { return to_line(std::move(status)); };
  const std::string line = co_await workers_.run(make);
  co_await answer(line);
}

Task<void> Desk::reload(const Answer& answer) {
  const Reload done = co_await hooks_.reload();
  const std::string line = line_of(
      {{"taken", done.taken}, {"errors", done.errors}, {"warnings", done.warnings}, {"left", done.left}});
  co_await answer(line);
}

// The client reads the files itself.
Task<void> Desk::write_history(const Answer& answer) {
  co_await hooks_.write_history();
  const std::string line = end_line(0);
  co_await answer(line);
}

// pause, resume: the lanes of an upstream.
Task<void> Desk::steer(const Answer& answer, const Request& request) {
  const std::vector<std::string> accounts =
      hooks_.steer(request.upstream, request.account, request.command == "pause");
  std::string out;
  for (const std::string& account : accounts)
    out += line_of({{"upstream", request.upstream}, {"account", account}, {"done", request.command}});
  if (accounts.empty())
    out = error_line("", fmt::format("no rule leads to an upstream '{}'{}", request.upstream,
                                     request.account.empty() ? "" : " as '" + request.account + "'"));
  out += end_line(accounts.size());
  co_await answer(out);
}

// list, retry, hold, release, delete: message by message, so that other work comes in between. A change that
// it reports is on disk.
Task<void> Desk::visit(const Answer& answer, const Request& request) {
  std::vector<MessageId> ids;
  std::string out;
  std::size_t count = 0;
  for (const std::string& text : request.ids) {
    const Result<MessageId> id = queue::parse_message_id(text);
    if (id && queue_.find(*id))
      ids.push_back(*id);
    else
      out += error_line(text, "no such message");
  }
  if (request.ids.empty()) {
    ids = queue_.ids();
    const Result<MessageId> after = queue::parse_message_id(request.after);
    const auto sort = [&ids, &after] {
      std::sort(ids.begin(), ids.end());
      if (after) ids.erase(ids.begin(), std::upper_bound(ids.begin(), ids.end(), *after));
    };
    co_await workers_.run(sort);
  }
  std::size_t looked = 0;
  for (const MessageId id : ids) {
    if (++looked % turn == 0) co_await async::sleep_until(loop_, loop_.now());
    const bool is_wanted = co_await wanted(request, id);
    Message* message = is_wanted ? queue_.find(id) : nullptr;
    if (!message) continue;
    if (request.limit != 0 && count == request.limit) {
      out += line_of({{"end", true}, {"count", count}, {"more", true}});
      co_await tell(answer, request, out);
      co_return;
    }
    ++count;
    if (request.bounce) {
      const std::string line = co_await bounce(id);
      out += line;
    } else if (request.details) {
      const std::string line = co_await describe_in_detail(id);
      out += line;
    } else {
      out += act(request, *message);
    }
    if (out.size() < write_at_least) continue;
    co_await tell(answer, request, out);
    out.clear();
  }
  out += end_line(count);
  co_await tell(answer, request, out);
}

Task<void> Desk::tell(const Answer& answer, const Request& request, std::string_view lines) {
  if (request.command != "list") co_await queue_.flush();
  co_await answer(lines);
}

Task<bool> Desk::wanted(const Request& request, MessageId id) {
  Message* message = queue_.find(id);
  if (!message || !fits(request.sender, message->routing_sender)) co_return false;
  if (!request.state.empty() && !is_in_state(*message, request.state)) co_return false;
  if (!request.concerns(has_ended(message->state))) co_return false;
  if (!request.upstream.empty()) {
    const std::vector<std::string> upstreams = hooks_.upstreams_of(*message);
    if (upstreams.empty() || upstreams.front() != request.upstream) co_return false;
  }
  if (request.recipient.empty()) co_return true;
  bool found = false;
  try {
    const queue::Content content = co_await queue_.look(*message);
    for (const mail::Recipient& recipient : content.envelope.recipients)
      found |= fits(request.recipient, recipient.address);
  } catch (const queue::QueueError&) {
    // It cannot be read: the log and its state say so.
  }
  co_return found;
}

Task<std::string> Desk::bounce(MessageId id) {
  const std::string refusal = co_await hooks_.bounce(id);
  const std::string text = queue::to_string(id);
  co_return refusal.empty() ? line_of({{"id", text}, {"done", "delete"}}) : error_line(text, refusal);
}

std::string Desk::act(const Request& request, Message& message) {
  if (request.command == "list") return describe(message);
  using Kind = tell::Handled::Kind;
  const std::string id = queue::to_string(message.id());
  const std::string from(message.routing_sender);
  const bool is_held = is_in_state(message, to_string(MessageState::held));
  const bool stands_still = is_held || has_ended(message.state);
  std::optional<Kind> done;
  const char* refusal = nullptr;
  if (request.not_taken && !waits_in_doubt(message)) {
    refusal = message.in_doubt() ? "it is being sent" : "it is not in doubt";
  } else if (request.not_taken) {
    hooks_.clear_way(message);
    queue_.not_taken(message);
    if (stands_still) done = Kind::retried;
  } else if (request.command == "retry" && message.state == MessageState::reporting) {
    refusal = "it is delivered, and a report about that is being written";
  } else if (request.command == "retry" || (request.command == "release" && is_held)) {
    hooks_.clear_way(message);
    queue_.retry(message);
    if (stands_still) done = request.command == "retry" ? Kind::retried : Kind::released;
  } else if (request.command == "delete") {
    queue_.remove(message);
    done = Kind::deleted;
  } else if (request.command == "hold" && !has_ended(message.state)) {
    if (message.state != MessageState::held) done = Kind::held;
    queue_.hold(message);
  } else {
    refusal = request.command == "hold" ? "nobody is left to whom it would be sent" : "it is not held";
  }
  if (done) hooks_.handled({*done, id, from});
  return refusal ? line_of({{"id", id}, {"error", refusal}})
                 : line_of({{"id", id}, {"done", request.command}});
}

std::string Desk::describe(const Message& message) const {
  json object = {{"id", queue::to_string(message.id())},
                 {"from", message.routing_sender},
                 {"size", message.size},
                 {"accepted", time_text(message.accepted)}};
  json shipments = json::array();
  message.for_each_shipment([&](const queue::Shipment& shipment) {
    shipments.push_back(describe_shipment(shipment, loop_.now()));
  });
  if (shipments.size() == 1) {
    object.update(shipments.front());
    return line_of(object);
  }
  object.update({{"state", queue::to_string(message.state)},
                 {"pending", message.unsent()},
                 {"attempts", message.attempts()}});
  if (message.in_doubt()) object["in_doubt"] = true;
  for (const json& shipment : shipments) {
    if (!shipment.contains("due_in")) continue;
    if (shipment.contains("in_line")) object["in_line"] = true;
    if (!object.contains("due_in") || shipment["due_in"] < object["due_in"])
      object["due_in"] = shipment["due_in"];
  }
  object["shipments"] = std::move(shipments);
  return line_of(object);
}

// Including what is on disk about it.
Task<std::string> Desk::describe_in_detail(MessageId id) {
  Message* message = queue_.find(id);
  std::string line = describe(*message);
  try {
    const queue::Content content = co_await queue_.look(*message, queue::Queue::Wanted::header);
    message = queue_.find(id);
    std::vector<queue::HistoryEvent> events;
    if (message && message->attempts() > 0) events = co_await queue_.history(*message);
    line = with_details(line, content.envelope, content.states, events);
  } catch (const queue::QueueError&) {
    // It cannot be read: the log and its state say so.
  }
  co_return line;
}

Task<void> Desk::show(const Answer& answer, const Request& request) {
  for (const std::string& text : request.ids) {
    const Result<MessageId> id = queue::parse_message_id(text);
    Message* message = id ? queue_.find(*id) : nullptr;
    std::string line = error_line(text, "no such message");
    std::optional<queue::Content> content;
    if (message) {
      try {
        // It may be gone after each wait.
        content = co_await queue_.look(*message);
        const std::string front = co_await workers_.run([&content] { return front_of(*content); });
        std::vector<queue::HistoryEvent> events;
        message = queue_.find(*id);
        if (message) events = co_await queue_.history(*message);
        message = queue_.find(*id);
        if (message) line = describe_whole(*message, *content, events, header_of(front), request.body);
        if (!message) content.reset();
      } catch (const queue::QueueError& error) {
        content.reset();
        line = error_line(text, error.what());
      }
    }
    co_await answer(line);
    if (content && request.body) co_await send_content(answer, *content);
  }
  const std::string end = end_line(request.ids.size());
  co_await answer(end);
}

std::string Desk::describe_whole(const Message& message, const queue::Content& content,
                                 const std::vector<queue::HistoryEvent>& events, std::string_view header,
                                 bool body_follows) const {
  json object = json::parse(describe(message));
  const mail::Envelope& envelope = content.envelope;
  object["upstreams"] = hooks_.upstreams_of(message);
  object["routes"] = describe_routes(hooks_.routes_of(message));
  object["sender"] = envelope.sender;
  object["client"] = envelope.client;
  object["account"] = envelope.account;
  object["listener"] = envelope.listener;
  for (std::size_t i = 0; i < envelope.recipients.size(); ++i)
    object["recipients"].push_back(
        {{"to", envelope.recipients[i].address}, {"state", queue::to_string(content.states[i])}});
  for (const queue::HistoryEvent& event : events)
    object["history"].push_back(describe_event(event, envelope, hooks_));
  object["header"] = header;
  if (body_follows) object["octets"] = content.size;  // so many follow the line, as they are
  return line_of(object);
}

Task<void> Desk::send_content(const Answer& answer, const queue::Content& content) {
  if (content.file < 0) {
    co_await answer(content.body);
    co_return;
  }
  std::string piece;
  for (std::uint64_t at = 0; at < content.size; at += piece.size()) {
    co_await workers_.run([&] {
      piece.resize(std::min<std::uint64_t>(256 * 1024, content.size - at));
      const ssize_t count = ::pread(content.file, piece.data(), piece.size(), static_cast<off_t>(at));
      if (count <= 0) throw async::IoError(async::IoFault::cancelled, "the message's file cannot be read");
      piece.resize(static_cast<std::size_t>(count));
    });
    co_await answer(piece);
  }
}

}  // namespace relayd::watch
