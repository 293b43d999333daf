#include "relay/setup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "relay/needs.hpp"
#include "relay/signing_keys.hpp"
#include "relay/tables.hpp"
#include "relay/watched_files.hpp"
#include "rewrite/aliases_file.hpp"
#include "shared/config/file.hpp"
#include "shared/mail/lookup_key.hpp"

namespace relayd {

namespace {

namespace fs = std::filesystem;
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
      errors.push_back({account.file.empty() ? config.file : account.file, account.where, stored.error()});
  }
  return accounts;
}

constexpr std::size_t longest_aliases_file = 64 << 20;

// What the configuration itself has an alias for is its own.
void add_aliases_of_file(const Config& config, std::vector<rewrite::Alias>& list, AliasesResult& result) {
  const rewrite::ReadFile read = [&result](const std::string& path) {
    result.files.emplace(path, disk::file_stamp(path));
    return config::read_trusted(path, longest_aliases_file);
  };
  const Result<std::string> text = read(config.aliases_file);
  if (!text) {
    result.errors.push_back({config.file, config.aliases_file_where, text.error()});
    return;
  }
  rewrite::AliasesFile file = rewrite::parse_aliases_file(*text, config.aliases_file, read);
  const auto location = [](std::size_t line) {
    return config::Location{static_cast<int>(line), line > 0 ? 1 : 0};
  };
  for (const rewrite::AliasesFile::Fault& fault : file.faults)
    result.errors.push_back({fault.where.file, location(fault.where.line), fault.text});
  std::set<std::string> own;
  for (const rewrite::Alias& alias : list) own.insert(mail::lookup_key(alias.name));
  for (rewrite::AliasesFile::Entry& entry : file.entries) {
    if (own.contains(mail::lookup_key(entry.alias.name))) continue;
    list.push_back(std::move(entry.alias));
    result.places.push_back({entry.where.file, location(entry.where.line)});
  }
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

void add_stamps(const std::vector<std::string>& paths, disk::FileStamps& files) {
  for (const std::string& path : paths) files.emplace(path, disk::file_stamp(path));
}

// What may have to change before it can be loaded.
void add_files_in_trouble(const fs::path& file, const config::Environment& environment, SetupResult& result) {
  for (const config::Diagnostic& error : result.errors) add_stamps({error.file}, result.files);
  const config::Loaded named = config::load_file(file, environment, {.secrets = false});
  if (named.config) add_stamps(named_files(*named.config), result.files);
}

}  // namespace

AliasesResult make_aliases(const Config& config) {
  AliasesResult result;
  std::vector<rewrite::Alias> list;
  for (const config::Alias& alias : config.aliases) {
    list.push_back({alias.name, alias.targets});
    result.places.push_back({config.file, alias.where});
  }
  if (!config.aliases_file.empty()) add_aliases_of_file(config, list, result);
  result.aliases =
      std::make_shared<rewrite::Aliases>(std::move(list), std::vector{config.origin, config.hostname});
  for (const rewrite::Aliases::Fault& fault : result.aliases->faults()) {
    const AliasPlace& place = result.places[fault.alias];
    result.errors.push_back({place.file, place.where, fault.text});
  }
  return result;
}

SetupResult make_setup(config::Loaded loaded) {
  SetupResult result{std::nullopt, std::move(loaded.errors), std::move(loaded.warnings)};
  if (!loaded.config) return result;
  add_stamps(watched_files(*loaded.config), result.files);
  Setup setup;
  setup.config = loaded.config;
  route::Router::Built built = route::Router::build(loaded.config);
  result.errors.insert(result.errors.end(), built.errors.begin(), built.errors.end());
  setup.router = built.router;
  setup.accounts = read_accounts(*loaded.config, result.errors);
  AliasesResult aliases = make_aliases(*loaded.config);
  std::ranges::move(aliases.errors, std::back_inserter(result.errors));
  result.files.merge(aliases.files);
  setup.aliases = std::move(aliases.aliases);
  setup.copies = std::make_shared<const rewrite::Copies>(loaded.config->bcc);
  setup.staging = std::make_shared<const rewrite::Staging>(
      loaded.config->staging ? rewrite::Staging(*loaded.config->staging) : rewrite::Staging());
  TablesResult tables = make_tables(*loaded.config);
  std::ranges::move(tables.errors, std::back_inserter(result.errors));
  setup.taken =
      std::make_shared<const rewrite::RewriteRules>(loaded.config->changes.rewrite, rewrite::When::taken);
  SigningKeysResult keys = read_signing_keys(*loaded.config);
  std::ranges::move(keys.errors, std::back_inserter(result.errors));
  if (setup.router)
    setup.ways_out =
        std::make_shared<const WaysOut>(setup.router, setup.staging, tables.tables, std::move(keys.keys));
  setup.access = std::make_shared<const Access>(loaded.config->access);
  setup.tls = read_certificates(*loaded.config, result.errors);
  setup.needs = needs_of(*loaded.config);
  if (result.errors.empty()) result.setup = std::move(setup);
  return result;
}

SetupResult make_setup(const std::optional<std::filesystem::path>& file) {
  const config::Environment environment = config::process_environment();
  if (!file) return make_setup(config::load_environment(environment));
  disk::FileStamps files = {{file->string(), disk::file_stamp(file->string())}};
  SetupResult result = make_setup(config::load_file(*file, environment));
  result.files.merge(files);
  if (!result.setup) add_files_in_trouble(*file, environment, result);
  return result;
}

}  // namespace relayd
