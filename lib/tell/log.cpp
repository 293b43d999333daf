#include "tell/log.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstddef>

#include "tell/suppression.hpp"

namespace relayd::tell {

using telemetry::Level;

namespace {

std::string_view sender_text(std::string_view sender) {
  return sender.empty() ? "<>" : sender;
}

double seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}

Level level_of(Fate fate) {
  switch (fate) {
    case Fate::delivered:
      return Level::info;
    case Fate::deferred:
    case Fate::in_doubt:
      return Level::warning;
    case Fate::failed:
      break;
  }
  return Level::error;
}

}  // namespace

std::string recipients_text(std::span<const mail::Recipient> recipients) {
  constexpr std::size_t shown = 10;
  std::string text;
  for (std::size_t i = 0; i < recipients.size() && i < shown; ++i)
    text += (i == 0 ? "" : ",") + recipients[i].address;
  if (recipients.size() > shown) text += fmt::format(",… {} in all", recipients.size());
  return text;
}

void arrived(Log& log, const Arrival& arrival) {
  const mail::Envelope& envelope = arrival.envelope;
  log.info(word_for(arrival.kind), {{"id", arrival.id},
                                    {"from", sender_text(envelope.sender)},
                                    {"to", recipients_text(arrival.to)},
                                    {"size", arrival.size},
                                    {"client", envelope.client},
                                    {"account", envelope.account},
                                    {"listener", envelope.listener},
                                    {"tls", arrival.tls},
                                    {"instead_of", recipients_text(arrival.instead_of)}});
}

void attempted(Log& log, const Outcome& outcome) {
  const smtp::Event& event = outcome.event;
  const bool has_enhanced = !event.trouble && event.reply.enhanced.given();
  log.write(level_of(outcome.fate), word_for(outcome.fate),
            {{"id", outcome.id},
             {"from", sender_text(outcome.from)},
             {"to", outcome.to},
             {"sent_from", outcome.sent_from == outcome.from ? "" : outcome.sent_from},
             {"sent_to", outcome.sent_to == outcome.to ? "" : outcome.sent_to},
             {"upstream", outcome.upstream},
             {"host", outcome.host},
             {"account", outcome.account},
             {"tls", outcome.tls},
             {"stage", smtp::to_string(event.stage)},
             {"code", smtp::code_of(event)},
             {"enhanced", has_enhanced ? smtp::to_string(event.reply.enhanced) : ""},
             {"response", smtp::enhanced_text(event)},
             {"provider_id", outcome.provider_id},
             {"delay", seconds(outcome.age)},
             {"attempts", outcome.attempt},
             {"class", outcome.reply_class}});
}

void held(Log& log, const Doubt& doubt) {
  const std::string times = doubt.times > 1 ? fmt::format(", {} times", doubt.times) : "";
  log.warning("held",
              {{"id", doubt.id},
               {"from", doubt.from},
               {"upstream", doubt.upstream},
               {"attempts", doubt.attempts},
               {"reason", fmt::format("{} may have taken it{} and no reply came. Where it has not: "
                                      "`relayd queue retry --not-taken {}`; where it has: `relayd "
                                      "queue delete {}`, which ends it for all recipients that are left",
                                      doubt.upstream, times, doubt.id, doubt.id)}});
}

void given_up(Log& log, const GivenUp& given_up) {
  // `rejected` is what happens to clients.
  log.error(given_up.why == Ending::rejected ? "failed" : word_for(given_up.why),
            {{"id", given_up.id},
             {"from", sender_text(given_up.from)},
             {"to", recipients_text(given_up.to)},
             {"response", given_up.reason},
             {"attempts", given_up.attempts}});
}

void handled(Log& log, const Handled& message) {
  const bool is_ours = message.kind == Handled::Kind::routeless;
  log.write(is_ours ? Level::warning : Level::info, word_for(message.kind),
            {{"id", message.id},
             {"from", sender_text(message.from)},
             {"response", message.reason},
             {"class", is_ours ? "none" : ""},
             {"by", is_ours ? "" : "operator"}});
}

void not_rewritten(Log& log, std::string_view id, std::string_view address, std::string_view reason) {
  log.warning("not_rewritten", {{"id", id}, {"to", address}, {"reason", reason}});
}

void signature_broken(Log& log, std::string_view id, std::string_view upstream, std::string_view field) {
  log.warning("signature_broken",
              {{"id", id},
               {"upstream", upstream},
               {"reason", fmt::format("a rule changes the field '{}', which a DKIM signature of the message "
                                      "covers; told once for each field and upstream",
                                      field)}});
}

void table_trouble(Log& log, std::string_view reason) {
  log.warning("table_trouble", {{"reason", reason}});
}

void reported(Log& log, const Reported& report) {
  log.info(event_of(report.kind), {{"id", report.id},
                                   {"from", sender_text(report.from)},
                                   {"to", report.to},
                                   {"about", recipients_text(report.about)},
                                   {"report", report.report},
                                   {"reason", report.reason}});
}

void suppressed(Log& log, const Suppressed& recipient) {
  log.info("suppressed",
           {{"id", recipient.id},
            {"from", sender_text(recipient.from)},
            {"to", recipient.to},
            {"action", recipient.kind == Suppressed::Kind::remembered ? "remembered" : "refused"},
            {"upstream", recipient.upstream},
            {"reason", recipient.reason},
            {"until", to_text(std::chrono::floor<std::chrono::seconds>(recipient.until))}});
}

void unreadable(Log& log, std::string_view id, std::string_view reason) {
  log.error("queue_trouble", {{"id", id}, {"reason", reason}});
}

void lane_stopped(Log& log, const Lane& lane) {
  log.info("lane_stopped", {{"upstream", lane.upstream}, {"account", lane.account}});
}

void lane_released(Log& log, const Lane& lane) {
  log.info("lane_released", {{"upstream", lane.upstream}, {"account", lane.account}});
}

void upstream_paused(Log& log, std::string_view upstream, const Pause& pause) {
  log.warning("upstream_paused", {{"upstream", upstream},
                                  {"host", pause.host},
                                  {"class", pause.reply_class},
                                  {"code", pause.code},
                                  {"response", pause.response},
                                  {"delay", seconds(pause.wait)}});
}

void upstream_resumed(Log& log, std::string_view upstream) {
  log.info("upstream_resumed", {{"upstream", upstream}});
}

void account_changed(Log& log, const AccountNews& news) {
  if (news.well) return log.info("account_ok", {{"upstream", news.upstream}, {"account", news.account}});
  log.warning("account_failing", {{"upstream", news.upstream},
                                  {"account", news.account},
                                  {"class", news.reply_class},
                                  {"reason", news.reason}});
}

void lane_paused(Log& log, const Lane& lane, const Pause& pause) {
  log.warning("lane_paused", {{"upstream", lane.upstream},
                              {"account", lane.account},
                              {"host", pause.host},
                              {"class", pause.reply_class},
                              {"code", pause.code},
                              {"response", pause.response},
                              {"delay", seconds(pause.wait)}});
}

void lane_resumed(Log& log, const Lane& lane) {
  log.info("lane_resumed", {{"upstream", lane.upstream}, {"account", lane.account}});
}

void next_port(Log& log, const Lane& lane, std::string_view response, std::uint16_t port) {
  log.warning(
      "next_port",
      {{"upstream", lane.upstream}, {"account", lane.account}, {"response", response}, {"port", port}});
}

void limit_learnt(Log& log, const Lane& lane, std::string_view key, std::string_view value,
                  std::string_view response) {
  log.info("limit_learnt", {{"upstream", lane.upstream},
                            {"account", lane.account},
                            {"key", key},
                            {"value", value},
                            {"response", response}});
}

void pipelining_reduced(Log& log, const Lane& lane, std::string_view id) {
  log.warning("pipelining_reduced",
              {{"upstream", lane.upstream},
               {"account", lane.account},
               {"id", id},
               {"reason",
                "the server mishandles commands that ride behind the final dot; set 'pipelining: "
                "transaction' to spare it the attempt"}});
}

void password_changed(Log& log, const Lane& lane, std::string_view works, std::string_view other,
                      bool unreadable) {
  log.warning("password_changed",
              {{"upstream", lane.upstream},
               {"account", lane.account},
               {"reason", fmt::format("'{}' {}, '{}' works", other,
                                      unreadable ? "cannot be read" : "is refused", works)}});
}

void password_unreadable(Log& log, const Lane& lane, std::string_view key, std::string_view reason) {
  log.warning("password_unreadable",
              {{"upstream", lane.upstream}, {"account", lane.account}, {"key", key}, {"reason", reason}});
}

}  // namespace relayd::tell
