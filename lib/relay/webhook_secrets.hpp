// The secrets that sign webhooks, read from where the configuration says.
//
// Done when a Setup is made.
#pragma once

#include <string>
#include <vector>

#include "shared/config/config.hpp"

namespace relayd {

// Of each receiver, in the configuration's order: the octets of each of its secrets.
using WebhookSecrets = std::vector<std::vector<std::string>>;

struct WebhookSecretsResult {
  WebhookSecrets secrets;  // those that could be read
  std::vector<config::Diagnostic> errors;
};
// Blocks (files, commands).
WebhookSecretsResult read_webhook_secrets(const config::Config& config);

}  // namespace relayd
