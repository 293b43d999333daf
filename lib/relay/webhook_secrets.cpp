#include "relay/webhook_secrets.hpp"

#include <utility>

#include "tell/webhook.hpp"

namespace relayd {

namespace {

Result<std::string> read_secret(const config::SecretSource& source) {
  const Result<Secret> secret = source.read();
  if (!secret) return Error{secret.error()};
  return tell::parse_webhook_secret(secret->reveal());
}

}  // namespace

WebhookSecretsResult read_webhook_secrets(const config::Config& config) {
  WebhookSecretsResult result;
  for (const config::Webhook& webhook : config.webhooks) {
    std::vector<std::string>& secrets = result.secrets.emplace_back();
    for (const config::SecretSource& source : webhook.secrets) {
      Result<std::string> secret = read_secret(source);
      if (secret)
        secrets.push_back(std::move(*secret));
      else
        result.errors.push_back({config.file, source.where, secret.error()});
    }
  }
  return result;
}

}  // namespace relayd
