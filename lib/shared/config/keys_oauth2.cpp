// The keys of OAuth 2.
#include <charconv>

#include "shared/config/keys.hpp"
#include "shared/http/url.hpp"

namespace relayd::config {

namespace {

Result<std::string> parse_token_url(std::string_view text) {
  const Result<http::Url> url = http::parse_url(text);
  if (!url) return Error{url.error()};
  if (!is_secure(*url))
    return Error{"a secret goes there: write https:// (http:// is for loopback, as others could read it)"};
  return std::string(text);
}

Result<std::chrono::sys_days> parse_day(std::string_view text) {
  int numbers[3] = {};
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (int& number : numbers) {
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc{} || (&number != &numbers[2] && (next == end || *next != '-')))
      return Error{"expected a day such as 2027-05-31"};
    at = &number == &numbers[2] ? next : next + 1;
  }
  const std::chrono::year_month_day day{std::chrono::year(numbers[0]),
                                        std::chrono::month(static_cast<unsigned>(numbers[1])),
                                        std::chrono::day(static_cast<unsigned>(numbers[2]))};
  if (at != end || !day.ok() || text.size() != 10) return Error{"expected a day such as 2027-05-31"};
  return std::chrono::sys_days(day);
}

void read_day(Reader& reader, const Node& node, OAuth2& out) {
  const std::optional<std::string> text = reader.text(node, "a day");
  if (!text) return;
  const Result<std::chrono::sys_days> day = parse_day(*text);
  if (day)
    out.secret_expires = *day;
  else
    reader.error(node.place, day.error());
}

void read_user(Reader& reader, const Node& node, OAuth2& out) {
  read(reader, node, out.user);
  out.user_is_sender = out.user == "sender";
  if (out.user_is_sender) out.user.clear();
}

}  // namespace

const Keys<OAuth2>& keys_of(const OAuth2*) {
  static const Keys<OAuth2> keys = {
      {"provider",
       [](Reader& reader, const Node& node, OAuth2& out) {
         read(reader, node, out.provider);
         out.provider_given = true;
       }},
      {"grant",
       [](Reader& reader, const Node& node, OAuth2& out) {
         read(reader, node, out.grant);
         out.grant_given = true;
       }},
      key("tenant", &OAuth2::tenant),
      key("cloud", &OAuth2::cloud),
      key("client_id", &OAuth2::client_id),
      key("client_secret", &OAuth2::client_secret),
      file("client_certificate", &OAuth2::client_certificate),
      private_key("client_key", &OAuth2::client_key),
      private_file("key_file", &OAuth2::key_file),
      key("refresh_token", &OAuth2::refresh_token),
      {"user", read_user},
      key("scope", &OAuth2::scope),
      text("token_url", &OAuth2::token_url, parse_token_url),
      file("ca_file", &OAuth2::ca_file),
      group<OAuth2>("token", {key("command", &OAuth2::token_command)}),
      {"secret_expires", read_day},
  };
  return keys;
}

}  // namespace relayd::config
