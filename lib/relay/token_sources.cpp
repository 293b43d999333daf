#include "relay/token_sources.hpp"

#include <fmt/format.h>

#include <chrono>
#include <random>
#include <string_view>
#include <utility>

#include "shared/config/command.hpp"
#include "shared/config/file.hpp"
#include "shared/crypto/certificate.hpp"
#include "shared/oauth/assertion.hpp"
#include "shared/oauth/endpoint.hpp"
#include "shared/oauth/form.hpp"

namespace relayd {

using config::OAuth2;
using config::OAuth2Grant;

namespace {

constexpr std::size_t most_file = 64 * 1024;
constexpr std::chrono::seconds command_limit{10};

std::string hex(const crypto::Digest& digest) {
  std::string text;
  for (const std::uint8_t octet : digest) text += fmt::format("{:02x}", octet);
  return text;
}

crypto::Digest digest_of(std::string_view text) {
  crypto::Sha256 digest;
  digest.update(text);
  return digest.finish();
}

std::string random_id() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 4; ++i) id += fmt::format("{:08x}", static_cast<std::uint32_t>(random()));
  return id;
}

Result<Secret> read_key_file(const std::string& path) {
  Result<config::FileText> file = config::read_file(path, most_file);
  if (!file) return Error{file.error()};
  Secret text(std::move(file->text));
  if (config::others_may_read_key(path, file->status))
    return Error{fmt::format("{} can be read by others: chmod 600 it", path)};
  return text;
}

Result<TokenRequest> ask_command(const TokenNeed& need) {
  const std::vector<std::string> variables = {"RELAYD_OAUTH2_USER=" + need.user};
  Result<std::string> output =
      config::run_command(need.account.oauth2.token_command, command_limit, oauth::most_body, variables);
  if (!output) return Error{fmt::format("token: {}", output.error())};
  const Secret text(std::move(*output));
  return TokenRequest{.printed = oauth::parse_printed(text.reveal())};
}

Result<TokenRequest> ask_as_service(const TokenNeed& need, const oauth::Endpoint& endpoint) {
  const OAuth2& oauth2 = need.account.oauth2;
  const Result<Secret> text = read_key_file(oauth2.key_file);
  if (!text) return Error{fmt::format("key_file: {}", text.error())};
  Result<oauth::ServiceAccount> account = oauth::parse_service_account(text->reveal());
  if (!account) return Error{fmt::format("key_file: {}: {}", oauth2.key_file, account.error())};
  if (!oauth2.token_url.empty()) account->token_url = oauth2.token_url;
  oauth::Proof proof;
  proof.assertion = service_assertion(*account, endpoint.scope, need.user, need.now);
  return TokenRequest{.url = account->token_url,
                      .form = token_form(oauth2, endpoint, proof),
                      .read = digest_of(text->reveal())};
}

// Adds what shows who the client is; empty: it did, else why it cannot.
std::string prove_client(const OAuth2& oauth2, const oauth::Endpoint& endpoint, WallTime now,
                         oauth::Proof& proof, TokenRequest& request, crypto::Sha256& read) {
  if (oauth2.client_secret.given()) {
    Result<Secret> secret = oauth2.client_secret.read();
    if (!secret) return fmt::format("client_secret: {}", secret.error());
    proof.client_secret = std::move(*secret);
    read.update(proof.client_secret.reveal());
  }
  if (oauth2.client_certificate.empty()) return {};
  const Result<config::FileText> pem = config::read_file(oauth2.client_certificate, most_file);
  if (!pem) return fmt::format("client_certificate: {}", pem.error());
  const Result<crypto::Certificate> certificate = crypto::Certificate::parse(pem->text);
  if (!certificate)
    return fmt::format("client_certificate: {}: {}", oauth2.client_certificate, certificate.error());
  const Result<Secret> text = read_key_file(oauth2.client_key);
  if (!text) return fmt::format("client_key: {}", text.error());
  const Result<oauth::Key> key = crypto::SigningKey::parse(text->reveal());
  if (!key) return fmt::format("client_key: {}: {}", oauth2.client_key, key.error());
  if ((*key)->type() != crypto::SigningKey::Type::rsa ||
      (*key)->public_record_key() != certificate->public_key)
    return fmt::format("client_key: {} is not the RSA key of {}", oauth2.client_key,
                       oauth2.client_certificate);
  request.thumbprint = hex(certificate->thumbprint);
  const std::string id = random_id();
  proof.assertion = oauth::client_assertion(
      {endpoint.token_url, oauth2.client_id, id, certificate->thumbprint}, **key, now);
  read.update(text->reveal());
  read.update(pem->text);
  return {};
}

// The sign-in of an account, but for its tokens.
oauth::StoredToken without_token(const TokenAccount& account, const std::string& user) {
  return {.provider = std::string(word_for(account.oauth2.provider)),
          .client_id = account.oauth2.client_id,
          .token_url = oauth::endpoint_of(account.oauth2).token_url,
          .user = user,
          .refresh_token = {},
          .previous = {},
          .seed = {}};
}

}  // namespace

void store_sign_in(const TokenAccount& account, const Secret& refresh_token, WallTime now,
                   TokenStore& store) {
  oauth::StoredToken token = without_token(account, account.username);
  token.refresh_token = refresh_token;
  token.obtained = now;
  if (account.oauth2.refresh_token.given())
    if (const Result<Secret> seed = account.oauth2.refresh_token.read())
      token.seed = hex(digest_of(seed->reveal()));
  store.write(account, token);
}

Result<TokenRequest> find_sign_in(const TokenNeed& need, TokenStore& store) {
  const OAuth2& oauth2 = need.account.oauth2;
  oauth::StoredToken wanted = without_token(need.account, need.user);
  std::optional<oauth::StoredToken> stored = need.unwritten;
  if (!stored) {
    Result<std::optional<oauth::StoredToken>> found = store.read(need.account);
    if (!found) return Error{found.error()};
    stored = std::move(*found);
  }
  if (stored && !stored->is_of(wanted)) stored.reset();
  if (oauth2.refresh_token.given()) {
    Result<Secret> seed = oauth2.refresh_token.read();
    if (!seed && !stored) return Error{fmt::format("refresh_token: {}", seed.error())};
    if (seed) wanted.seed = hex(digest_of(seed->reveal()));
    if (seed && (!stored || stored->seed != wanted.seed)) {
      wanted.refresh_token = std::move(*seed);
      return TokenRequest{.sign_in = std::move(wanted), .is_kept = false};
    }
  }
  if (!stored)
    return Error{fmt::format("nobody has signed in: run relayd oauth login {}", need.account.upstream)};
  return TokenRequest{.sign_in = std::move(stored), .is_kept = !need.unwritten};
}

Result<TokenRequest> make_token_request(const TokenNeed& need, TokenStore& store) {
  const OAuth2& oauth2 = need.account.oauth2;
  if (!oauth2.token_command.empty()) return ask_command(need);
  const oauth::Endpoint endpoint = oauth::endpoint_of(oauth2);
  if (oauth2.grant == OAuth2Grant::service_account) return ask_as_service(need, endpoint);

  TokenRequest request;
  oauth::Proof proof;
  crypto::Sha256 read;
  if (oauth2.grant == OAuth2Grant::refresh_token) {
    Result<TokenRequest> found = find_sign_in(need, store);
    if (!found) return found;
    request = std::move(*found);
    proof.refresh_token = need.with_previous ? request.sign_in->previous : request.sign_in->refresh_token;
    read.update(request.sign_in->refresh_token.reveal());
  }
  const std::string fault = prove_client(oauth2, endpoint, need.now, proof, request, read);
  if (!fault.empty()) return Error{fault};
  request.url = endpoint.token_url;
  request.form = token_form(oauth2, endpoint, proof);
  request.read = read.finish();
  return request;
}

}  // namespace relayd
