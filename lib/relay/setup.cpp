#include "relay/setup.hpp"

#include <fmt/format.h>

#include <utility>

#include "relay/needs.hpp"

namespace relayd {

namespace {

using config::Config;

Result<sasl::Server::Stored> read_account(const config::Account& account) {
  const bool scram = account.scram_sha_256.given();
  Result<Secret> secret = scram ? account.scram_sha_256.read() : account.password.read();
  if (!secret) return Error{secret.error()};
  if (!scram) return sasl::Server::Stored(std::move(*secret));
  Result<sasl::ScramSecret> kept = sasl::parse_scram_secret(secret->reveal());
  if (!kept) return Error{fmt::format("scram_sha_256 of '{}': {}", account.name, kept.error())};
  return sasl::Server::Stored(std::move(*kept));
}

std::shared_ptr<const accept::Accounts> read_accounts(const Config& config,
                                                      std::vector<config::Diagnostic>& errors) {
  auto accounts = std::make_shared<accept::Accounts>();
  for (const config::Account& account : config.accounts) {
    Result<sasl::Server::Stored> stored = read_account(account);
    if (stored)
      accounts->emplace(account.name, std::move(*stored));
    else
      errors.push_back({config.file, account.where, stored.error()});
  }
  return accounts;
}

std::shared_ptr<net::TlsServerContext> read_certificates(const Config& config,
                                                         std::vector<config::Diagnostic>& errors) {
  if (config.certificates.empty()) return nullptr;
  std::vector<net::TlsServerContext::Files> files;
  for (const config::Certificate& pair : config.certificates) files.push_back({pair.certificate, pair.key});
  auto made = net::TlsServerContext::create(files);
  if (made) return *made;
  errors.push_back({config.file, config.certificates.front().where, made.error()});
  return nullptr;
}

}  // namespace

SetupResult make_setup(config::Loaded loaded) {
  SetupResult result{std::nullopt, std::move(loaded.errors), std::move(loaded.warnings)};
  if (!loaded.config) return result;
  Setup setup;
  setup.config = loaded.config;
  route::Router::Built built = route::Router::build(loaded.config);
  result.errors.insert(result.errors.end(), built.errors.begin(), built.errors.end());
  setup.router = built.router;
  setup.accounts = read_accounts(*loaded.config, result.errors);
  setup.access = std::make_shared<const Access>(loaded.config->access);
  setup.tls = read_certificates(*loaded.config, result.errors);
  setup.needs = needs_of(*loaded.config);
  if (result.errors.empty()) result.setup = std::move(setup);
  return result;
}

SetupResult make_setup(const std::optional<std::filesystem::path>& file) {
  const config::Environment environment = config::process_environment();
  return make_setup(file ? config::load_file(*file, environment) : config::load_environment(environment));
}

}  // namespace relayd
