#include "tell/webhook.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "shared/base/base64.hpp"
#include "shared/base/secret.hpp"
#include "shared/base/words.hpp"
#include "shared/crypto/sha256.hpp"
#include "shared/mail/utf8.hpp"
#include "shared/telemetry/text.hpp"

namespace relayd::tell {

using config::WebhookEvent;

namespace {

// Octets of a value as it is written; together they are far below longest_webhook_event.
constexpr std::size_t longest_id = 64;
constexpr std::size_t longest_address = 512;
constexpr std::size_t longest_name = 300;
constexpr std::size_t longest_reply = 1024;

constexpr std::string_view type_prefix = R"("type":")";
constexpr std::string_view timestamp_prefix = R"("timestamp":")";
// The body of several: a timestamp and the events are missing.
constexpr std::string_view several_begin = R"({"type":"message.events","timestamp":")";
constexpr std::string_view list_begin = R"(","data":{"events":[)";
constexpr std::string_view list_end = "]}}";

// A text of others as it may stand between the quotes of JSON, and then be shown: what is no UTF-8 becomes
// U+FFFD, controls become spaces. What would make it longer than `limit` is left away.
std::string shown(std::string_view text, std::size_t limit) {
  std::string result;
  std::string next;
  while (!text.empty()) {
    const auto point = mail::first_code_point(text);
    next.clear();
    if (!point)
      next = "\ufffd";
    else if (mail::is_invisible_control(point->value))
      next = " ";
    else
      telemetry::append_escaped(next, text.substr(0, point->octets));
    if (result.size() + next.size() > limit) break;
    result += next;
    text.remove_prefix(point ? point->octets : 1);
  }
  return result;
}

// A member of an object.
void append_member(std::string& out, std::string_view key, std::string_view value) {
  fmt::format_to(std::back_inserter(out), R"({}"{}":{})", out.back() == '{' ? "" : ",", key, value);
}

// The same of a text that is shown. Empty ones are left out.
void append_text(std::string& out, std::string_view key, std::string_view value) {
  if (!value.empty()) append_member(out, key, fmt::format(R"("{}")", value));
}

// Of an event that is of no message, by the texts that tell it from others of its moment.
std::string event_id(const WebhookNews& news, std::string_view from, std::string_view to) {
  const auto when = news.when.time_since_epoch().count();
  if (!news.id.empty())
    return fmt::format("evt_{}_{}_{}_{}", shown(news.id, longest_id), news.recipient, word_for(news.what),
                       when);
  // Of what the receiver reads anyhow: a hash of a masked address would tell who it is to those who guess.
  crypto::Sha256 sha256;
  sha256.update(from);
  sha256.update("\n");
  sha256.update(to);
  const crypto::Digest digest = sha256.finish();
  std::string id = fmt::format("evt_{}_{}_", word_for(news.what), when);
  for (std::size_t i = 0; i < 8; ++i) fmt::format_to(std::back_inserter(id), "{:02x}", digest[i]);
  return id;
}

bool is_of_account(WebhookEvent what) {
  return what == WebhookEvent::account_failing || what == WebhookEvent::account_ok;
}

// "message.delivered", "account.failing".
std::string type_of(WebhookEvent what) {
  const std::string_view word = word_for(what);
  if (!is_of_account(what)) return fmt::format("message.{}", word);
  return fmt::format("account.{}", word.substr(word.find('_') + 1));
}

// What stands behind the first `prefix`, up to the next quote; empty: nothing does.
std::string_view quoted_after(std::string_view line, std::string_view prefix) {
  const std::size_t found = line.find(prefix);
  if (found == std::string_view::npos) return {};
  line.remove_prefix(found + prefix.size());
  return line.substr(0, line.find('"'));
}

std::string_view id_of(std::string_view line) {
  return quoted_after(line, R"({"id":")");
}

// The first line, without its '\n'.
std::string_view first_line(std::string_view lines) {
  return lines.substr(0, lines.find('\n'));
}

}  // namespace

void append_webhook_event(std::string& out, const WebhookNews& news, bool masked) {
  const auto address = [masked](std::string_view text) {
    return shown(masked ? telemetry::masked(text) : std::string(text), longest_address);
  };
  const std::string from = address(news.from);
  const std::string to = address(news.to);
  const std::string upstream = shown(news.upstream, longest_name);
  const std::string account = shown(news.account, longest_name);
  const std::string id =
      is_of_account(news.what) ? event_id(news, upstream, account) : event_id(news, from, to);
  fmt::format_to(std::back_inserter(out), R"({{"id":"{}",{}{}",{})", id, type_prefix, type_of(news.what),
                 timestamp_prefix);
  telemetry::append_time(out, news.when);
  out += R"(","data":{)";
  append_text(out, "message", shown(news.id, longest_id));
  append_text(out, "from", from);
  append_text(out, "to", to);
  append_text(out, "upstream", upstream);
  append_text(out, "account", account);
  append_text(out, "host", shown(news.host, longest_name));
  if (news.code != 0) append_member(out, "code", fmt::format("{}", news.code));
  append_text(out, is_of_account(news.what) ? "reason" : "reply",
              shown(masked ? telemetry::masked_within(news.text) : std::string(news.text), longest_reply));
  append_text(out, "provider_id", shown(news.provider_id, longest_name));
  out += "}}\n";
}

bool is_superseded(std::string_view line) {
  return quoted_after(line, type_prefix) == type_of(WebhookEvent::deferred);
}

WebhookBatch make_webhook_batch(std::string_view lines) {
  std::vector<std::string_view> taken;
  constexpr std::size_t timestamp_octets = std::string_view("2026-11-20T06:24:01.123456Z").size();
  std::size_t octets = several_begin.size() + timestamp_octets + list_begin.size() + list_end.size();
  WebhookBatch batch;
  while (!lines.empty()) {
    const std::string_view line = first_line(lines);
    octets += line.size() + (taken.empty() ? 0 : std::string_view(",").size());
    if (!taken.empty() && octets > longest_webhook_body) break;
    taken.push_back(line);
    const std::size_t whole = std::min(line.size() + 1, lines.size());
    lines.remove_prefix(whole);
    batch.octets += whole;
  }
  batch.events = taken.size();
  if (taken.empty()) return batch;
  batch.id = id_of(taken.front());
  if (taken.size() == 1) {
    batch.body = taken.front();
    return batch;
  }
  fmt::format_to(std::back_inserter(batch.id), "-{}", taken.size());
  fmt::format_to(std::back_inserter(batch.body), "{}{}{}{}{}", several_begin,
                 quoted_after(taken.back(), timestamp_prefix), list_begin, fmt::join(taken, ","), list_end);
  return batch;
}

Result<std::string> parse_webhook_secret(std::string_view text) {
  constexpr std::string_view prefix = "whsec_";
  constexpr std::size_t fewest = 24;
  constexpr std::size_t most = 64;
  if (!text.starts_with(prefix))
    return Error{
        "a secret of webhooks is 'whsec_' and base64, as `echo whsec_$(openssl rand -base64 32)` makes it"};
  std::optional<std::string> octets = base64::decode(text.substr(prefix.size()));
  if (!octets) return Error{"what follows 'whsec_' is no base64"};
  if (octets->size() >= fewest && octets->size() <= most) return std::move(*octets);
  const std::size_t size = octets->size();
  wipe(*octets);
  return Error{fmt::format("the base64 after 'whsec_' is of {} to {} octets, not of {}", fewest, most, size)};
}

std::string webhook_signature(std::span<const std::string> secrets, std::string_view id, std::int64_t seconds,
                              std::string_view body) {
  const std::string content = fmt::format("{}.{}.{}", id, seconds, body);
  std::string signatures;
  for (const std::string& secret : secrets) {
    const crypto::Digest mac = crypto::hmac_sha256(secret, content);
    if (!signatures.empty()) signatures += ' ';
    signatures += "v1,";
    signatures += base64::encode({reinterpret_cast<const char*>(mac.data()), mac.size()});
  }
  return signatures;
}

}  // namespace relayd::tell
