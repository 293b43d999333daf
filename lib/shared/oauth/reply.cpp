#include "shared/oauth/reply.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/http/retry_after.hpp"
#include "shared/sasl/bearer.hpp"
#include "shared/telemetry/text.hpp"

namespace relayd::oauth {

using nlohmann::json;
using std::chrono::seconds;

namespace {

constexpr std::size_t most_excerpt = 512;
constexpr std::size_t most_id = 64;
constexpr int too_many_requests = 429;

// Microsoft's numbers of what passes: its own trouble, throttling, and too many requests.
constexpr unsigned passing[] = {90006, 90012, 90024, 90033, 90055, 70012};

// As it stands in an object; empty where it is none.
std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// The same, and the octets are gone from the object.
Secret take_secret(json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return {};
  return Secret(std::move(found->get_ref<std::string&>()));
}

// A refresh token goes into a form alone: printable ASCII (RFC 6749 A.17).
bool is_refresh_token(std::string_view text) {
  return text.size() <= most_token &&
         std::ranges::all_of(text, [](char c) { return c >= 0x20 && c <= 0x7e; });
}

std::optional<seconds> life_of(const json& object) {
  const auto found = object.find("expires_in");
  if (found == object.end() || found->is_null()) return usual_life;
  double count = -1;
  if (found->is_number()) count = found->get<double>();
  if (found->is_string()) {
    const std::string text = found->get<std::string>();
    std::int64_t number = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size()) count = static_cast<double>(number);
  }
  if (!(count >= 1)) return std::nullopt;
  return seconds(
      static_cast<std::int64_t>(std::min(count, static_cast<double>(seconds(longest_life).count()))));
}

Refusal not_understood(std::string why) {
  return {.description = std::move(why), .temporary = true};
}

// "AADSTS700082: …"
unsigned number_in(std::string_view description) {
  constexpr std::string_view prefix = "AADSTS";
  const std::size_t at = description.find(prefix);
  if (at == std::string_view::npos) return 0;
  unsigned number = 0;
  std::from_chars(description.data() + at + prefix.size(), description.data() + description.size(), number);
  return number;
}

unsigned code_of(const json& object, std::string_view description) {
  const auto codes = object.find("error_codes");
  if (codes != object.end() && codes->is_array() && !codes->empty() && codes->front().is_number_unsigned())
    return static_cast<unsigned>(std::min<std::uint64_t>(codes->front().get<std::uint64_t>(), 999'999'999));
  return number_in(description);
}

Refusal refusal_of(const json& object) {
  Refusal refusal;
  const std::string description = text_of(object, "error_description");
  refusal.error = excerpt(text_of(object, "error").substr(0, most_id));
  refusal.code = code_of(object, description);
  refusal.description = excerpt(description);
  refusal.trace_id = excerpt(text_of(object, "trace_id").substr(0, most_id));
  refusal.correlation_id = excerpt(text_of(object, "correlation_id").substr(0, most_id));
  refusal.temporary = std::ranges::find(passing, refusal.code) != std::end(passing) ||
                      refusal.error == "temporarily_unavailable" || refusal.error == "slow_down";
  return refusal;
}

Reply grant_of(json& object) {
  Grant grant;
  grant.access_token = take_secret(object, "access_token");
  grant.refresh_token = take_secret(object, "refresh_token");
  if (grant.access_token.empty()) return not_understood("the answer has no access_token");
  if (!sasl::is_token(grant.access_token.reveal()))
    return not_understood("the access_token is too long, or has characters that no token has");
  if (!is_refresh_token(grant.refresh_token.reveal()))
    return not_understood("the refresh_token is too long, or has characters that no token has");
  const std::string type = text_of(object, "token_type");
  if (!type.empty() && !ascii::equal_ignoring_case(type, "bearer"))
    return not_understood(
        fmt::format("the token is of type {}, not Bearer", excerpt(type.substr(0, most_id))));
  const std::optional<seconds> life = life_of(object);
  if (!life) return not_understood("expires_in is no number of seconds");
  grant.life = *life;
  return grant;
}

const std::string* header_of(const http::Response& response, std::string_view name) {
  for (const http::Header& each : response.headers)
    if (each.name == name) return &each.value;
  return nullptr;
}

std::optional<json> object_in(std::string_view text) {
  if (text.size() > most_body) return std::nullopt;
  json object = json::parse(text, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  return object;
}

}  // namespace

std::string excerpt(std::string_view text) {
  std::string out;
  telemetry::append_escaped(out, text.substr(0, most_excerpt));
  return out;
}

Reply parse_reply(const http::Response& response, WallTime now) {
  std::optional<json> object = object_in(response.body);
  Reply reply;
  if (response.status == 200 && object)
    reply = grant_of(*object);
  else if (object && response.status / 100 == 4 && object->contains("error"))
    reply = refusal_of(*object);
  else
    reply =
        not_understood(response.status / 100 == 3
                           ? fmt::format("HTTP status {}: redirects are not followed", response.status)
                           : fmt::format("HTTP status {}, and no answer of a token server", response.status));
  if (Refusal* const refusal = std::get_if<Refusal>(&reply)) {
    refusal->temporary |= response.status == too_many_requests || response.status / 100 == 5;
    if (const std::string* const asked = header_of(response, "retry-after"); asked && refusal->temporary)
      refusal->wait = http::retry_after(*asked, now);
  }
  return reply;
}

std::optional<seconds> clock_skew(const http::Response& response, WallTime now) {
  const std::string* const text = header_of(response, "date");
  const std::optional<WallTime> date = text ? http::parse_date(*text, now) : std::nullopt;
  if (!date) return std::nullopt;
  return std::chrono::round<seconds>(now - *date);
}

Printed parse_printed(std::string_view text) {
  while (!text.empty() && ascii::is_white_space(text.back())) text.remove_suffix(1);
  while (!text.empty() && ascii::is_white_space(text.front())) text.remove_prefix(1);
  if (sasl::is_token(text)) return {Grant{Secret(std::string(text)), {}, {}}, true};
  std::optional<json> object = object_in(text);
  if (!object)
    return {Refusal{.description = "it printed neither a token nor JSON with access_token"}, false};
  Reply reply = grant_of(*object);
  if (Refusal* const refusal = std::get_if<Refusal>(&reply)) refusal->temporary = false;
  return {std::move(reply), false};
}

}  // namespace relayd::oauth
