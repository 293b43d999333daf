#include "shared/oauth/assertion.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "shared/base/base64.hpp"
#include "shared/http/url.hpp"

namespace relayd::oauth {

using nlohmann::json;
using std::chrono::seconds;

namespace {

constexpr seconds client_life{600};
constexpr seconds service_life{3600};

std::string_view view(const crypto::Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string part(const json& object) {
  return base64url(object.dump(-1, ' ', false, json::error_handler_t::replace));
}

crypto::Digest digest_of(std::string_view text) {
  crypto::Sha256 digest;
  digest.update(text);
  return digest.finish();
}

std::int64_t seconds_of(WallTime time) {
  return std::chrono::floor<seconds>(time).time_since_epoch().count();
}

std::string member(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

std::string base64url(std::string_view octets) {
  std::string text = base64::encode(octets);
  for (char& c : text) {
    if (c == '+') c = '-';
    if (c == '/') c = '_';
  }
  while (text.ends_with('=')) text.pop_back();
  return text;
}

Secret client_assertion(const ClientClaims& claims, const crypto::SigningKey& key, WallTime now) {
  const std::int64_t from = seconds_of(now);
  std::string text =
      part({{"alg", "PS256"}, {"typ", "JWT"}, {"x5t#S256", base64url(view(claims.thumbprint))}}) + '.' +
      part({{"aud", claims.token_url},
            {"iss", claims.client_id},
            {"sub", claims.client_id},
            {"jti", claims.id},
            {"nbf", from},
            {"exp", from + client_life.count()}});
  return Secret(text + '.' + base64url(key.sign_pss(digest_of(text))));
}

Result<ServiceAccount> parse_service_account(std::string_view text) {
  json object = json::parse(text, nullptr, false);
  if (!object.is_object() || member(object, "type") != "service_account")
    return Error{"it is no JSON key of a service account (\"type\": \"service_account\")"};
  const auto found = object.find("private_key");
  if (found == object.end() || !found->is_string()) return Error{"it has no private_key"};
  const Secret pem(std::move(found->get_ref<std::string&>()));
  Result<Key> key = crypto::SigningKey::parse(pem.reveal());
  if (!key || (*key)->type() != crypto::SigningKey::Type::rsa)
    return Error{"its private_key is no RSA key in PEM: download the key again"};
  ServiceAccount account{member(object, "client_email"), member(object, "private_key_id"),
                         member(object, "token_uri"), std::move(*key)};
  if (account.email.empty()) return Error{"it has no client_email"};
  const Result<http::Url> url = http::parse_url(account.token_url);
  if (!url || !http::is_secure(*url)) return Error{"its token_uri is no https URL"};
  return account;
}

Secret service_assertion(const ServiceAccount& account, std::string_view scope, std::string_view mailbox,
                         WallTime now) {
  const std::int64_t from = seconds_of(now);
  std::string text = part({{"alg", "RS256"}, {"typ", "JWT"}, {"kid", account.key_id}}) + '.' +
                     part({{"iss", account.email},
                           {"sub", mailbox},
                           {"scope", scope},
                           {"aud", account.token_url},
                           {"iat", from},
                           {"exp", from + service_life.count()}});
  return Secret(text + '.' + base64url(account.key->sign(digest_of(text))));
}

}  // namespace relayd::oauth
