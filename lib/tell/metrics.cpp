#include "tell/metrics.hpp"

#include <chrono>
#include <cstddef>
#include <string_view>
#include <utility>

namespace relayd::tell {

namespace {

using telemetry::Family;
using telemetry::MetricKind;

// The place of each in the list below.
enum Name : std::size_t {
  arrived_messages,
  arrived_bytes,
  messages,
  recipients,
  sent_bytes,
  queue_seconds,
  attempt_seconds,
  reports,
  suppressed_recipients,
};

std::vector<Family> make_families() {
  const std::vector<std::string_view> outcome = {"upstream", "account", "state", "class"};
  std::vector<Family> made;
  const auto add = [&made](MetricKind kind, std::string_view name, std::string_view help,
                           std::vector<std::string_view> labels, std::vector<double> bounds = {}) {
    made.emplace_back(telemetry::MetricShape{kind, name, help, std::move(labels), std::move(bounds)});
  };
  using enum MetricKind;
  add(counter, "relayd_arrived_messages_total", "Messages taken from clients, by what was done with them.",
      {"state"});
  add(counter, "relayd_arrived_bytes_total", "Octets of the messages that were accepted.", {});
  add(counter, "relayd_messages_total",
      "Attempts to send a message, by what became of it for a recipient at best, and messages given up.",
      outcome);
  add(counter, "relayd_recipients_total", "Recipients, each at each attempt, and those given up.", outcome);
  add(counter, "relayd_sent_bytes_total", "Octets of messages that upstreams have taken.",
      {"upstream", "account"});
  add(histogram, "relayd_queue_time_seconds", "From a message's arrival to its delivery or failure.",
      {"upstream", "state"}, {0.1, 0.5, 1, 5, 30, 60, 300, 1800, 7200, 28800, 86400, 432000});
  add(histogram, "relayd_attempt_duration_seconds",
      "How long an attempt takes, from when the message is read to the last reply.", {"upstream"},
      {0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300});
  add(counter, "relayd_reports_total",
      "Reports about messages, by what they tell and whether one was written.", {"class", "state"});
  add(counter, "relayd_suppressed_total",
      "Recipients that were remembered as not existing, and refusals of such recipients.", {"state"});
  return made;
}

double seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

Metrics::Metrics() : families_(make_families()) {}

Subscriber Metrics::subscriber() {
  return {.arrived = [this](const Arrival& arrival) { count(arrival); },
          .attempted = [this](const Outcome& outcome) { count(outcome); },
          .given_up = [this](const GivenUp& message) { count(message); },
          .reported = [this](const Reported& report) { count(report); },
          .suppressed = [this](const Suppressed& recipient) { count(recipient); }};
}

Sums Metrics::sums() const {
  const auto count = [this](Name name, auto... states) {
    return static_cast<std::uint64_t>((families_[name].sum("state", word_for(states)).value + ...));
  };
  using Kind = Arrival::Kind;
  return {count(arrived_messages, Kind::accepted, Kind::held), count(messages, Fate::delivered),
          count(messages, Fate::deferred, Fate::in_doubt),
          count(messages, Fate::failed, Ending::expired, Ending::rejected, Ending::deleted),
          families_[queue_seconds].sum("state", word_for(Fate::delivered)).value};
}

std::uint64_t Metrics::bounced() const {
  return static_cast<std::uint64_t>(families_[reports].value({word_for(Reported::Kind::failed), "written"}));
}

// What was discarded for some of its recipients is told once more, as accepted or held.
void Metrics::count(const Arrival& arrival) {
  if (arrival.kind == Arrival::Kind::discarded && !arrival.envelope.recipients.empty()) return;
  families_[arrived_messages].add({word_for(arrival.kind)});
  if (arrival.kind != Arrival::Kind::discarded)
    families_[arrived_bytes].add({}, static_cast<double>(arrival.size));
}

void Metrics::count(const Outcome& outcome) {
  const std::string_view state = word_for(outcome.fate);
  families_[recipients].add({outcome.upstream, outcome.account, state, outcome.reply_class});
  const bool ends = outcome.fate == Fate::delivered || outcome.fate == Fate::failed;
  if (!outcome.first) return;
  families_[messages].add({outcome.upstream, outcome.account, state, outcome.reply_class});
  families_[attempt_seconds].observe({outcome.upstream}, seconds(outcome.took));
  if (ends) families_[queue_seconds].observe({outcome.upstream, state}, seconds(outcome.age));
  if (outcome.fate == Fate::delivered)
    families_[sent_bytes].add({outcome.upstream, outcome.account}, static_cast<double>(outcome.size));
}

// No upstream has part in it.
void Metrics::count(const GivenUp& given_up) {
  const std::string_view state = word_for(given_up.why);
  families_[messages].add({"", "", state, ""});
  families_[recipients].add({"", "", state, ""}, static_cast<double>(given_up.to.size()));
}

void Metrics::count(const Reported& report) {
  families_[reports].add({word_for(report.kind), report.report.empty() ? "not_written" : "written"});
}

void Metrics::count(const Suppressed& recipient) {
  families_[suppressed_recipients].add(
      {recipient.kind == Suppressed::Kind::remembered ? "remembered" : "refused"});
}

}  // namespace relayd::tell
