#include "watch/suppress.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shared/mail/address.hpp"
#include "watch/answer.hpp"

namespace relayd::watch {

using async::Task;
using nlohmann::json;
using tell::Suppression;
using tell::SuppressionList;

namespace {

constexpr std::size_t write_at_least = 64 * 1024;
const std::string off =
    "recipients are not suppressed: add `suppress: {on: [unknown_recipient]}` to the configuration and "
    "reload";

std::string line_of(const Suppression& entry) {
  return watch::line_of({{"address", entry.recipient},
                         {"sender", entry.sender},
                         {"since", tell::to_text(entry.since)},
                         {"until", tell::to_text(entry.until)},
                         {"reason", entry.reason}});
}

// "example.com", "@example.com".
std::string domain_of(std::string_view sender) {
  if (sender.starts_with('@')) sender.remove_prefix(1);
  return std::string(sender);
}

// The end of an answer about a change: nothing is said to be done before it is on disk.
Task<void> conclude(SuppressionDesk& desk, const Answer& answer, std::size_t count) {
  const std::string failure = co_await desk.flush();
  std::string line = watch::line_of({{"end", true}, {"count", count}});
  if (!failure.empty())
    line = watch::line_of(
        {{"error",
          fmt::format("it holds now and is not on disk: a new start would not know it. {}", failure)}});
  co_await answer(line);
}

Task<void> fail(const Answer& answer, const std::string& error) {
  const std::string line = watch::line_of({{"error", error}});
  co_await answer(line);
}

Task<void> list(SuppressionDesk& desk, const Request& request, WallTime now, const Answer& answer) {
  std::string out;
  std::size_t count = 0;
  for (std::size_t slice = 0; slice < SuppressionList::slices; ++slice) {
    for (const Suppression& entry : desk.list().slice(slice)) {
      if (entry.until <= now || !fits(request.recipient, entry.recipient)) continue;
      if (!request.sender.empty() && !fits("@" + domain_of(request.sender), "@" + entry.sender)) continue;
      out += line_of(entry);
      ++count;
    }
    if (out.size() < write_at_least) continue;
    co_await answer(out);
    out.clear();
  }
  out += watch::line_of({{"end", true}, {"count", count}});
  co_await answer(out);
}

Task<void> add(SuppressionDesk& desk, const Request& request, WallTime now, const Answer& answer) {
  const std::optional<std::chrono::seconds> keep = desk.keep();
  if (!keep) {
    co_await fail(answer, off);
    co_return;
  }
  const tell::Second since = std::chrono::floor<std::chrono::seconds>(now);
  const tell::Second until = since + (request.seconds > 0 ? std::chrono::seconds(request.seconds) : *keep);
  const Result<Suppression> entry =
      tell::make_suppression(request.recipient, request.sender, since, until, request.reason);
  if (!entry) {
    co_await fail(answer, entry.error());
    co_return;
  }
  const std::string line = line_of(*entry);
  std::vector<Suppression> entries;
  entries.push_back(*entry);
  co_await desk.add(entries);
  co_await answer(line);
  co_await conclude(desk, answer, 1);
}

Task<void> remove(SuppressionDesk& desk, const Request& request, const Answer& answer) {
  std::optional<std::string> sender;
  if (!request.sender.empty()) sender = domain_of(request.sender);
  const std::size_t count = co_await desk.remove(request.recipient, sender);
  if (count == 0) {
    std::string error = request.recipient + " is not suppressed";
    if (sender) error += " for senders of " + *sender;
    co_await fail(answer, error);
    co_return;
  }
  co_await conclude(desk, answer, count);
}

Task<void> import(SuppressionDesk& desk, async::Workers& workers, const std::string& text, WallTime now,
                  const Answer& answer) {
  const std::optional<std::chrono::seconds> keep = desk.keep();
  if (!keep) {
    co_await fail(answer, off);
    co_return;
  }
  const tell::RowDefaults defaults{std::chrono::floor<std::chrono::seconds>(now), *keep};
  const auto parse = [&text, &defaults] { return tell::parse_suppressions(text, defaults); };
  const tell::SuppressionRows read = co_await workers.run(parse);
  std::string faults;
  for (const table::Fault& fault : read.faults)
    faults += watch::line_of({{"line", fault.line}, {"column", fault.column}, {"error", fault.text}});
  if (read.rows.size() > SuppressionList::most)
    faults += watch::line_of(
        {{"line", 1}, {"column", 1}, {"error", fmt::format("more than {} rows", SuppressionList::most)}});
  if (!faults.empty()) {
    faults += watch::line_of({{"end", true}, {"count", 0}});
    co_await answer(faults);
    co_return;
  }
  const auto count = static_cast<std::size_t>(
      std::ranges::count_if(read.rows, [now](const Suppression& entry) { return entry.until > now; }));
  co_await desk.add(read.rows);
  co_await conclude(desk, answer, count);
}

}  // namespace

Task<void> answer_suppress(SuppressionDesk& desk, async::Workers& workers, const Request& request,
                           const std::string& text, WallTime now, const Answer& answer) {
  if (request.command == "suppress_list")
    co_await list(desk, request, now, answer);
  else if (request.command == "suppress_add")
    co_await add(desk, request, now, answer);
  else if (request.command == "suppress_remove")
    co_await remove(desk, request, answer);
  else
    co_await import(desk, workers, text, now, answer);
}

}  // namespace relayd::watch
