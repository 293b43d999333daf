// Setup: a configuration made ready for use, with everything read that it points to.
//
// What `relayd check` does and what the daemon does first; a reload does it again on the side and swaps the
// result in.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "accept/intake.hpp"
#include "relay/access.hpp"
#include "relay/tables.hpp"
#include "relay/ways_out.hpp"
#include "relay/webhook_secrets.hpp"
#include "rewrite/aliases.hpp"
#include "rewrite/copies.hpp"
#include "rewrite/rewriting.hpp"
#include "rewrite/staging.hpp"
#include "route/router.hpp"
#include "shared/config/config.hpp"
#include "shared/disk/file_stamp.hpp"
#include "shared/net/tls.hpp"
#include "shared/process/confinement.hpp"

namespace relayd {

// Immutable once made.
struct Setup {
  std::shared_ptr<const config::Config> config;
  std::shared_ptr<const route::Router> router;
  std::shared_ptr<const accept::Accounts> accounts;
  std::shared_ptr<const Access> access;
  std::shared_ptr<const rewrite::Aliases> aliases;
  std::shared_ptr<const rewrite::Copies> copies = std::make_shared<const rewrite::Copies>();
  std::shared_ptr<const rewrite::Staging> staging = std::make_shared<const rewrite::Staging>();
  // `rewrite`, when: taken.
  std::shared_ptr<const rewrite::RewriteRules> taken = std::make_shared<const rewrite::RewriteRules>();
  std::shared_ptr<const WaysOut> ways_out;
  std::shared_ptr<net::TlsServerContext> tls;  // null: no certificates configured
  // In the order of `config->webhooks`.
  std::shared_ptr<const WebhookSecrets> webhook_secrets = std::make_shared<const WebhookSecrets>();
  Secret http_token;  // of `http`; empty: it has none
  process::Needs needs;
};

struct SetupResult {
  std::optional<Setup> setup;  // nothing when there are errors
  std::vector<config::Diagnostic> errors;
  std::vector<config::Diagnostic> warnings;
  // Stamps of the files that were read, taken before; after errors also of all that the configuration names.
  disk::FileStamps files = {};
};

struct AliasesResult {
  std::shared_ptr<const rewrite::Aliases> aliases;
  std::vector<TablePlace> places;  // of each alias
  disk::FileStamps files;          // that were read, as they were before
  std::vector<config::Diagnostic> errors;
};
// Those of the configuration, then of the file that it names, then of its table: the first of a name counts.
// Patterns of the table are asked when mail comes, all else of it is known here. Blocks.
AliasesResult make_aliases(const config::Config& config, std::shared_ptr<const table::Tables> tables);

// Blocks (files, commands of secrets). From the file, or without one from the environment alone.
SetupResult make_setup(const std::optional<std::filesystem::path>& file);
// The same from a configuration that was already read.
SetupResult make_setup(config::Loaded loaded);

}  // namespace relayd
