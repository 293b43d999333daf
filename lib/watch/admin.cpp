#include "watch/admin.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "watch/answer.hpp"
#include "watch/metrics.hpp"

namespace relayd::watch {

using async::Task;
using nlohmann::json;
using queue::Message;
using queue::MessageId;
using queue::MessageState;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t longest_request = 4 << 20;
constexpr std::size_t write_at_least = 64 * 1024;
constexpr std::size_t header_shown = 64 * 1024;
constexpr Duration patience = 30s;

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
                    const Admin::Hooks& hooks) {
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

// The header block of what lies at the front of a message.
std::string_view header_of(std::string_view text) {
  const std::size_t end = text.find("\r\n\r\n");
  return end == std::string_view::npos ? text : text.substr(0, end + 2);
}

// Enough of a message to hold its header. Blocks when it has a file of its own.
std::string front_of(const queue::Content& content) {
  if (content.file < 0) return content.body.substr(0, header_shown);
  std::string front(header_shown, '\0');
  front.resize(
      static_cast<std::size_t>(std::max<ssize_t>(0, ::pread(content.file, front.data(), front.size(), 0))));
  return front;
}

}  // namespace

Admin::Admin(net::AsioLoop& loop, async::Workers& workers, queue::Queue& queue, const std::string& path,
             Hooks hooks)
    : loop_(loop),
      workers_(workers),
      queue_(queue),
      hooks_(std::move(hooks)),
      acceptor_(net::Acceptor::unix_socket(
          loop, path, 0600, nullptr,
          [this](std::unique_ptr<async::Stream> stream) { scope_.spawn(serve(std::move(stream))); })) {}

Task<void> Admin::serve(std::unique_ptr<async::Stream> stream) {
  try {
    std::string line;
    std::string buffer(4096, '\0');
    while (line.find('\n') == std::string::npos && line.size() < longest_request) {
      const std::size_t count = co_await stream->read_some(buffer, loop_.now() + patience);
      if (count == 0) break;
      line.append(buffer, 0, count);
    }
    const std::size_t end = line.find('\n');
    const Result<Request> request = parse_request(line.substr(0, end));
    if (request) {
      std::string rest = line.substr(std::min(end, line.size() - 1) + 1);
      co_await answer(*stream, *request, rest);
    } else {
      const std::string refusal = error_line("", request.error());
      co_await write(*stream, refusal);
    }
  } catch (const async::IoError&) {
    // The operator has seen enough.
  }
  stream->close();
}

Task<void> Admin::write(async::Stream& stream, std::string_view bytes) {
  co_await stream.write(bytes, loop_.now() + patience);
}

// `rest`: what has come behind the line.
Task<void> Admin::answer(async::Stream& stream, const Request& request, std::string& rest) {
  const std::optional<Status> starting = hooks_.starting();
  if (request.command == "reload")
    co_await reload(stream);
  else if (request.command == "history")
    co_await write_history(stream);
  else if (starting)
    co_await put_off(stream, request, *starting);
  else if (request.command == "health")
    co_await tell_health(stream, "well");
  else if (request.command == "show")
    co_await show(stream, request);
  else if (request.command == "status")
    co_await tell_status(stream);
  else if (request.command == "metrics")
    co_await tell_metrics(stream);
  else if (request.command == "pause" || request.command == "resume")
    co_await steer(stream, request);
  else if (request.is_of_suppressed())
    co_await suppress(stream, request, rest);
  else
    co_await visit(stream, request);
}

Task<void> Admin::suppress(async::Stream& stream, const Request& request, std::string& text) {
  std::string buffer(write_at_least, '\0');
  while (text.size() < request.octets) {
    const std::size_t count = co_await stream.read_some(buffer, loop_.now() + patience);
    if (count == 0) co_return;  // whoever asked has gone
    text.append(buffer, 0, count);
  }
  const Answer answer = [this, &stream](std::string_view lines) { return write(stream, lines); };
  co_await answer_suppress(hooks_.suppressions, workers_, request, text, loop_.wall_now(), answer);
}

// Before the queue is read.
Task<void> Admin::put_off(async::Stream& stream, const Request& request, const Status& starting) {
  if (request.command == "health") {
    co_await tell_health(stream, "starting");
    co_return;
  }
  const queue::Progress progress = *starting.starting;
  std::string line =
      error_line("", fmt::format("starting: the queue is being read, {} messages and {} of {} "
                                 "octets so far; try again in a moment",
                                 progress.messages, progress.read.count, progress.total.count));
  if (request.command == "status") line = to_line(starting);
  co_await write(stream, line);
}

// For probes: it asks nothing of anybody.
Task<void> Admin::tell_health(async::Stream& stream, const char* health) {
  const std::string line = line_of({{"health", health}});
  co_await write(stream, line);
}

Task<Status> Admin::status() {
  const Message* oldest = co_await queue_.oldest();
  Status status = hooks_.status();
  if (oldest) status.oldest = {oldest->id(), oldest->accepted};
  co_return status;
}

// A line that says how many octets of text follow.
Task<void> Admin::tell_metrics(async::Stream& stream) {
  Status status = co_await this->status();
  const std::vector<telemetry::Family> counted = hooks_.metrics();
  const auto make = [this, &status, &counted] {
    hooks_.look(status);
    return metrics_text(status, counted);
  };
  const std::string text = co_await workers_.run(make);
  const std::string line = line_of({{"octets", text.size()}});
  co_await write(stream, line);
  co_await write(stream, text);
}

// Lanes may be many: the loop copies them, another thread makes the text.
Task<void> Admin::tell_status(async::Stream& stream) {
  Status status = co_await this->status();
  const std::string line = co_await workers_.run([&status] { return to_line(std::move(status)); });
  co_await write(stream, line);
}

Task<void> Admin::reload(async::Stream& stream) {
  const Reload done = co_await hooks_.reload();
  const std::string line = line_of(
      {{"taken", done.taken}, {"errors", done.errors}, {"warnings", done.warnings}, {"left", done.left}});
  co_await write(stream, line);
}

// Who asks reads the files.
Task<void> Admin::write_history(async::Stream& stream) {
  co_await hooks_.write_history();
  const std::string line = end_line(0);
  co_await write(stream, line);
}

// pause, resume: the lanes of an upstream.
Task<void> Admin::steer(async::Stream& stream, const Request& request) {
  const std::vector<std::string> accounts =
      hooks_.steer(request.upstream, request.account, request.command == "pause");
  std::string out;
  for (const std::string& account : accounts)
    out += line_of({{"upstream", request.upstream}, {"account", account}, {"done", request.command}});
  if (accounts.empty())
    out = error_line("", fmt::format("no rule leads to an upstream '{}'{}", request.upstream,
                                     request.account.empty() ? "" : " as '" + request.account + "'"));
  out += end_line(accounts.size());
  co_await write(stream, out);
}

// list, retry, hold, release, delete: message by message, so that other work comes in between. What it says
// to be done is on disk.
Task<void> Admin::visit(async::Stream& stream, const Request& request) {
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
    co_await workers_.run([&ids] { std::sort(ids.begin(), ids.end()); });
  }
  for (const MessageId id : ids) {
    const bool is_wanted = co_await wanted(request, id);
    Message* message = is_wanted ? queue_.find(id) : nullptr;
    if (!message) continue;
    ++count;
    if (request.bounce) {
      const std::string line = co_await bounce(id);
      out += line;
    } else {
      out += act(request, *message);
    }
    if (out.size() < write_at_least) continue;
    co_await tell(stream, request, out);
    out.clear();
  }
  out += end_line(count);
  co_await tell(stream, request, out);
}

Task<void> Admin::tell(async::Stream& stream, const Request& request, std::string_view lines) {
  if (request.command != "list") co_await queue_.flush();
  co_await write(stream, lines);
}

Task<bool> Admin::wanted(const Request& request, MessageId id) {
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

Task<std::string> Admin::bounce(MessageId id) {
  const std::string refusal = co_await hooks_.bounce(id);
  const std::string text = queue::to_string(id);
  co_return refusal.empty() ? line_of({{"id", text}, {"done", "delete"}}) : error_line(text, refusal);
}

std::string Admin::act(const Request& request, Message& message) {
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

std::string Admin::describe(const Message& message) const {
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

Task<void> Admin::show(async::Stream& stream, const Request& request) {
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
    co_await write(stream, line);
    if (content && request.body) co_await send_content(stream, *content);
  }
  const std::string end = end_line(request.ids.size());
  co_await write(stream, end);
}

std::string Admin::describe_whole(const Message& message, const queue::Content& content,
                                  const std::vector<queue::HistoryEvent>& events, std::string_view header,
                                  bool body_follows) const {
  json object = json::parse(describe(message));
  const mail::Envelope& envelope = content.envelope;
  object["upstreams"] = hooks_.upstreams_of(message);
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

Task<void> Admin::send_content(async::Stream& stream, const queue::Content& content) {
  if (content.file < 0) {
    co_await write(stream, content.body);
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
    co_await write(stream, piece);
  }
}

}  // namespace relayd::watch
