#include "watch/trouble.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "shared/base/counted.hpp"
#include "shared/smtp/reply_class.hpp"

namespace relayd::watch {

namespace {

using namespace std::chrono_literals;
using smtp::ReplyClass;
using Severity = Trouble::Severity;
using Troubles = std::vector<Trouble>;

// How long something may take that passes by itself.
constexpr Duration patience = 5min;
constexpr Duration old = 1h;
constexpr Duration too_old = 4h;  // senders are warned by then
constexpr Duration ends_soon = 14 * 24h;

std::string lane_name(const std::string& upstream, const std::string& account) {
  return account.empty() ? upstream : upstream + " as " + account;
}

void add_disk(const Status& status, Troubles& troubles) {
  constexpr const char* advice = "Make room there, or give it a larger disk";
  const bool known = status.disk_free && status.disk_reserve.count > 0;
  if (known && *status.disk_free < status.disk_reserve)
    troubles.push_back(
        {Severity::critical,
         fmt::format("the queue's disk has {} MiB free, so no mail is taken", status.disk_free->count >> 20),
         {},
         advice});
  else if (known && status.disk_free->count < 2 * status.disk_reserve.count)
    troubles.push_back(
        {Severity::warning,
         fmt::format("the queue's disk has {} MiB free, and with less than {} MiB no mail is taken",
                     status.disk_free->count >> 20, status.disk_reserve.count >> 20),
         {},
         advice});
  if (status.totals.troubles > 0)
    troubles.push_back({Severity::warning,
                        "the queue's disk has made trouble since the start",
                        {},
                        "`queue_trouble` in the log says what; a restart forgets it"});
}

// What the account watch has found.
void add_accounts(const Status& status, Troubles& troubles) {
  for (const Account& account : status.accounts)
    if (!account.well)
      troubles.push_back({Severity::critical,
                          fmt::format("{} fails: {}", lane_name(account.name.upstream, account.name.account),
                                      account.reason),
                          account.since, account.advice, account.name.upstream, account.name.account});
}

// What keeps a lane from sending, if a person should know.
std::optional<Severity> severity_of(const LaneStatus& lane, WallTime now) {
  using State = LaneStatus::State;
  if (lane.state == State::stopped) return Severity::warning;
  if (lane.state == State::quota_used_up && lane.waiting > 0) return Severity::warning;
  if (lane.state != State::paused && lane.state != State::probing) return std::nullopt;
  const std::optional<ReplyClass> why = find_word<ReplyClass>(lane.reply_class);
  if (why == ReplyClass::auth) return Severity::critical;
  if (why == ReplyClass::tls || why == ReplyClass::quota) return Severity::warning;
  if (now - lane.since >= patience) return Severity::warning;
  return std::nullopt;
}

std::string state_of(const LaneStatus& lane) {
  using State = LaneStatus::State;
  if (lane.state == State::stopped) return "paused by the operator";
  if (lane.state == State::quota_used_up) return "held back by a quota that is used up";
  return fmt::format("paused because {}: \"{}\"", lane.reply_class, lane.reason);
}

std::string advice_of(const LaneStatus& lane, bool single) {
  using State = LaneStatus::State;
  if (lane.state == State::stopped)
    return fmt::format("`relayd lane resume {}{}` lets it go on", lane.upstream,
                       single && !lane.account.empty() ? " --account " + lane.account : "");
  if (lane.state == State::quota_used_up) return "Mail waits until it comes back; `limits` has it";
  return fmt::format("`relayd doctor {}` tries the way there and says what to change", lane.upstream);
}

// Accounts of an upstream that are in the same trouble are one line.
void add_lanes(const Status& status, Troubles& troubles) {
  std::set<AccountName> told;
  for (const Account& account : status.accounts)
    if (!account.well) told.insert(account.name);
  std::map<std::tuple<std::string, std::string, std::string>, std::vector<const LaneStatus*>> alike;
  for (const LaneStatus& lane : status.lanes)
    if (severity_of(lane, status.now) && !told.contains({lane.upstream, lane.account}))
      alike[{lane.upstream, state_of(lane), lane.reply_class}].push_back(&lane);
  for (const auto& [key, lanes] : alike) {
    const LaneStatus& first = **std::ranges::min_element(lanes, {}, &LaneStatus::since);
    const bool single = lanes.size() == 1;
    const std::string who =
        single ? lane_name(first.upstream, first.account) + " is"
               : fmt::format("{} of {} accounts at {} are", lanes.size(),
                             std::ranges::count(status.lanes, first.upstream, &LaneStatus::upstream),
                             first.upstream);
    Trouble trouble{*severity_of(first, status.now), who + " " + std::get<1>(key)};
    if (first.since != WallTime{}) trouble.since = first.since;
    trouble.advice = advice_of(first, single);
    trouble.upstream = first.upstream;
    if (single) trouble.account = first.account;
    troubles.push_back(std::move(trouble));
  }
}

void add_queue(const Status& status, Troubles& troubles) {
  if (status.oldest && status.now - status.oldest->accepted >= old) {
    const Duration age = std::chrono::duration_cast<Duration>(status.now - status.oldest->accepted);
    const std::string id = queue::to_string(status.oldest->id);
    troubles.push_back({age >= too_old ? Severity::critical : Severity::warning,
                        fmt::format("message {} still waits after {} min", id,
                                    std::chrono::floor<std::chrono::minutes>(age).count()),
                        status.oldest->accepted, fmt::format("`relayd queue show {}` has each attempt", id)});
  }
  if (status.totals.held_in_doubt > 0)
    troubles.push_back({Severity::warning,
                        fmt::format("messages are held since an upstream may already have taken them: {}",
                                    status.totals.held_in_doubt),
                        {},
                        "`relayd queue list --state held` shows them; ask the upstream, then `relayd queue "
                        "retry --not-taken ID`, or delete what was taken"});
}

// Things that end at a known time.
void add_ends(const Status& status, Troubles& troubles) {
  const auto add = [&](const std::string& what, WallTime until, const char* advice) -> Trouble* {
    if (until - status.now > ends_soon) return nullptr;
    const bool ended = until <= status.now;
    const auto days = std::chrono::floor<std::chrono::days>(until - status.now).count();
    Trouble trouble{ended ? Severity::critical : Severity::warning,
                    ended ? what + " has ended" : fmt::format("{} ends in {}", what, counted(days, "day"))};
    if (ended) trouble.since = until;
    trouble.advice = advice;
    return &troubles.emplace_back(std::move(trouble));
  };
  for (const Status::Certificate& one : status.certificates)
    if (one.until && one.kind == "listener")
      add("the certificate of " + one.name, *one.until, "Renew it: `tls.certificates` names its file");
    else if (one.until && one.kind == "client")
      if (Trouble* const made = add("our certificate for " + one.name, *one.until,
                                    "Renew it: `tls_options.client_certificate` names its file"))
        made->upstream = one.name;
  for (const Status::Credential& one : status.credentials)
    if (one.kind == "client_secret")
      if (Trouble* const made =
              add("the client secret of " + lane_name(one.of.upstream, one.of.account), one.until,
                  "Make a new one at the provider, and correct `secret_expires`"))
        std::tie(made->upstream, made->account) = std::tie(one.of.upstream, one.of.account);
}

void add_others(const Status& status, Troubles& troubles) {
  for (const Status::Webhook& webhook : status.webhooks)
    if (webhook.disabled)
      troubles.push_back({Severity::warning, fmt::format("{} wants no more webhooks (410)", webhook.url),
                          webhook.since, "Take it out of `webhooks`; a reload tries it again"});
    else if (!webhook.failure.empty() && status.now - webhook.since >= patience)
      troubles.push_back({Severity::warning,
                          fmt::format("webhooks to {} fail: {}", webhook.url, webhook.failure), webhook.since,
                          "Its events wait on disk until it takes them"});
  if (status.configuration && status.configuration->errors > 0)
    troubles.push_back(
        {Severity::warning, "the configuration on disk cannot be used: " + status.configuration->reason,
         status.configuration->failed, "Correct it; until then the old one stays, and a start would fail"});
}

}  // namespace

const char* to_string(Trouble::Severity severity) {
  return severity == Severity::critical ? "critical" : "warning";
}

std::vector<Trouble> troubles_of(const Status& status) {
  Troubles troubles;
  if (status.starting) {
    const auto uptime = std::chrono::duration_cast<WallTime::duration>(status.uptime);
    troubles.push_back({Severity::warning, "it starts: the queue is being read", status.now - uptime});
    return troubles;
  }
  for (const auto add : {add_disk, add_accounts, add_lanes, add_queue, add_ends, add_others})
    add(status, troubles);
  std::ranges::stable_sort(troubles, {}, &Trouble::severity);
  return troubles;
}

}  // namespace relayd::watch
