#include "settle/verdict.hpp"

#include <algorithm>
#include <span>

#include "providers/provider.hpp"
#include "settle/provider_id.hpp"
#include "settle/reading.hpp"
#include "settle/rows.hpp"
#include "settle/told_limit.hpp"
#include "shared/base/ascii.hpp"

namespace relayd::settle {

namespace {

using providers::ReplyRow;
using smtp::EnhancedCode;
using smtp::Reply;
using enum ReplyClass;
namespace rows = providers::rows;

// The parts of the pattern, one behind the other.
bool contains(std::string_view text, std::string_view pattern) {
  const auto same = [](char a, char b) { return ascii::lower(a) == ascii::lower(b); };
  for (;;) {
    const std::string_view part = pattern.substr(0, pattern.find('*'));
    const auto found = std::search(text.begin(), text.end(), part.begin(), part.end(), same);
    if (found == text.end() && !part.empty()) return false;
    if (part.size() == pattern.size()) return true;
    text.remove_prefix(static_cast<std::size_t>(found - text.begin()) + part.size());
    pattern.remove_prefix(part.size() + 1);
  }
}

bool fits(EnhancedCode pattern, EnhancedCode code) {
  const bool subject = pattern.subject == rows::open || pattern.subject == code.subject;
  const bool detail = pattern.detail == rows::open || pattern.detail == code.detail;
  const bool status_class = !pattern.given() || pattern.status_class == code.status_class;
  return status_class && subject && detail;
}

// A reply, and what was read in it.
struct Heard {
  Stage stage;
  const Reply& reply;
  std::string_view provider;
  std::string words;
  std::chrono::seconds wait;
};

Heard hear(Stage stage, const Reply& reply, std::string_view provider) {
  Heard heard{stage, reply, provider, {}, {}};
  if (reply.code < 400) return heard;
  heard.words = own_words(stage, reply.text);
  // A refused recipient is refused, whatever is said of time.
  if (stage != Stage::rcpt || reply.temporary()) heard.wait = told_wait(heard.words);
  return heard;
}

bool fits(const ReplyRow& row, const Heard& heard) {
  const Reply& reply = heard.reply;
  if (!row.stages.has(heard.stage) || !row.codes.has(reply.code) || !fits(row.enhanced, reply.enhanced))
    return false;
  if (row.text == rows::tells_a_wait) return heard.wait.count() > 0;
  if (row.text == rows::without_id) return provider_id(reply, heard.provider).empty();
  return contains(heard.words, row.text);
}

Action action_of(ReplyClass reply_class) {
  switch (reply_class) {
    case none:
      return Action::delivered;
    case sender:
    case rcpt:
    case size:
    case content:
    case suppressed:
      return Action::failed;
    default:
      return Action::retry;
  }
}

// A temporary reply concerns what the command was about, but for 421: the server closes (RFC 5321 3.8).
Scope scope_of_temp(Stage stage, int code) {
  const bool about_message = code / 100 == 4 && code != 421;
  if (!about_message) return Scope::connection;
  if (stage == Stage::rcpt) return Scope::recipient;
  return stage == Stage::mail || stage == Stage::data || stage == Stage::final_dot ? Scope::message
                                                                                   : Scope::connection;
}

Scope scope_of(ReplyClass reply_class, Stage stage, int code) {
  switch (reply_class) {
    case connect:
    case tls:
      return Scope::upstream;
    case auth:
    case rate:
    case quota:
    case conn:
      return Scope::lane;
    case sender:
      return Scope::sender;
    case rcpt:
      return Scope::recipient;
    case temp:
      return scope_of_temp(stage, code);
    default:
      return Scope::message;
  }
}

Verdict verdict_of(ReplyClass reply_class, Stage stage, int code) {
  return {action_of(reply_class), reply_class, scope_of(reply_class, stage, code), false};
}

// Before a login the server knows our address alone.
smtp::Cap cap_of(const ReplyRow& row, Stage stage) {
  if (row.reply_class != conn) return row.extra.cap;
  return stage < Stage::auth ? smtp::Cap::connections_total : smtp::Cap::connections;
}

Verdict verdict_of(const ReplyRow& row, const Heard& heard) {
  Verdict verdict = verdict_of(row.reply_class, heard.stage, heard.reply.code);
  if (row.extra.at_once) verdict.scope = Scope::connection;
  if (row.extra.all_accounts) verdict.scope = Scope::upstream;
  if (verdict.action == Action::retry) verdict.wait = std::max(heard.wait, row.extra.wait);
  verdict.at_once = row.extra.at_once;
  verdict.cap = cap_of(row, heard.stage);
  if (verdict.cap != smtp::Cap::none) verdict.named = told_count(heard.words, verdict.cap);
  if (row.reply_class == rate && heard.stage != Stage::rcpt) verdict.rate = told_rate(heard.words);
  return verdict;
}

}  // namespace

std::vector<FittingRow> fitting_rows(Stage stage, const Reply& reply, std::string_view provider) {
  const Heard heard = hear(stage, reply, provider);
  std::vector<FittingRow> fitting;
  const auto take = [&fitting, &heard](std::span<const ReplyRow> rows) {
    for (const ReplyRow& row : rows)
      if (fits(row, heard)) fitting.push_back({&row, verdict_of(row, heard)});
  };
  if (const providers::Provider* const known = providers::find(provider)) take(known->replies);
  take(general_rows());
  return fitting;
}

Verdict judge(Stage stage, const Reply& reply, std::string_view provider) {
  Verdict verdict = fitting_rows(stage, reply, provider).front().verdict;
  if (stage != Stage::rcpt || verdict.at_once || !too_many_recipients(reply)) return verdict;
  verdict = {Action::retry, temp, Scope::recipient};
  // A 452 alone may as well tell of a full disk (RFC 5321 4.2.3).
  const std::string words = own_words(stage, reply.text);
  if (!reply.enhanced.given() && !ascii::contains_ignoring_case(words, "recipients")) return verdict;
  verdict.cap = smtp::Cap::recipients_per_message;
  verdict.named = told_count(words, verdict.cap);
  return verdict;
}

Verdict judge(Stage stage, Trouble trouble) {
  const bool before_message = stage < Stage::mail;
  switch (trouble) {
    case Trouble::unreachable:
      return verdict_of(connect, stage, 0);
    case Trouble::tls:
    case Trouble::no_starttls:
      if (before_message) return verdict_of(tls, stage, 0);
      break;  // an alert in the middle of mail: the connection has ended
    case Trouble::no_mechanism:
    case Trouble::no_password:
      return verdict_of(auth, stage, 0);
    case Trouble::no_token:  // of this account alone
      return {Action::retry, connect, Scope::lane};
    case Trouble::too_large:
      return {Action::failed, size, Scope::message, false, true};
    case Trouble::no_extension:
      return {Action::failed, sender, Scope::message, false, true};
    case Trouble::broken:
    case Trouble::malformed:
      if (before_message) return verdict_of(connect, stage, 0);
      break;
    case Trouble::cancelled:
      break;
  }
  return {Action::retry, temp, Scope::connection, stage == Stage::final_dot};
}

Verdict judge(const smtp::Event& event, std::string_view provider) {
  if (!event.trouble) return judge(event.stage, event.reply, provider);
  Verdict verdict = judge(event.stage, *event.trouble);
  verdict.wait = std::clamp(event.wait, std::chrono::seconds(0), std::chrono::seconds(3600));
  return verdict;
}

bool stops_lane(const Verdict& verdict) {
  return verdict.scope == Scope::lane || verdict.scope == Scope::upstream;
}

bool moves_on(const Verdict& verdict, smtp::ReplyClasses retry_next_on) {
  const bool refused = smtp::refusals.has(verdict.reply_class);
  if (verdict.in_doubt || refused || verdict.action == Action::delivered) return false;
  return verdict.unfit || retry_next_on.has(verdict.reply_class);
}

bool too_many_recipients(const Reply& reply) {
  const bool code = reply.code == 452 || reply.code == 552;
  const bool about_recipients = reply.enhanced.subject == 5 && reply.enhanced.detail == 3;  // RFC 3463 3.6
  return code && (!reply.enhanced.given() || about_recipients);
}

}  // namespace relayd::settle
