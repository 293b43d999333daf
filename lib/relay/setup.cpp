#include "relay/setup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "relay/needs.hpp"
#include "relay/signing_keys.hpp"
#include "relay/watched_files.hpp"
#include "rewrite/aliases_file.hpp"
#include "shared/config/environment.hpp"
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
constexpr std::size_t most_told = 1000;  // faults: a file of another kind has one in every line

// The place of the other alias of a fault, if it is in a file.
std::string elsewhere(const std::vector<TablePlace>& places, const rewrite::Aliases::Fault& fault) {
  if (!fault.other || *fault.other == fault.alias || places[*fault.other].where.line == 0) return {};
  const TablePlace& other = places[*fault.other];
  const std::string file = other.file == places[fault.alias].file ? "" : fmt::format(" of {}", other.file);
  return fmt::format(" (line {}{})", other.where.line, file);
}

// The aliases of a configuration from all sources. If several have a name, the first counts; one that a
// source has twice itself is left for its error.
class AliasList {
 public:
  AliasList(const Config& config, AliasesResult& result) : config_(config), result_(result) {
    for (const config::Alias& alias : config.aliases)
      add({alias.name, alias.targets}, {config.file, alias.where});
  }

  void add_file() {
    begin_source();
    const rewrite::ReadFile read = [this](const std::string& path) {
      result_.files.emplace(path, disk::file_stamp(path));
      return config::read_trusted(path, longest_aliases_file);
    };
    const Result<std::string> text = read(config_.aliases_file);
    if (!text) return fail({config_.file, config_.aliases_file_where}, text.error());
    rewrite::AliasesFile file = rewrite::parse_aliases_file(*text, config_.aliases_file, read);
    const auto place = [](const rewrite::FilePlace& where) {
      return TablePlace{where.file, {static_cast<int>(where.line), where.line > 0 ? 1 : 0}};
    };
    for (const rewrite::AliasesFile::Fault& fault : file.faults) fail(place(fault.where), fault.text);
    for (rewrite::AliasesFile::Entry& entry : file.entries)
      if (!is_known(entry.alias.name)) add(std::move(entry.alias), place(entry.where));
  }

  // Whether it has patterns, which know their keys only when they are asked.
  bool add_table(const table::Table& table) {
    begin_source();
    bool has_patterns = false;
    table.each([&](const table::Row& row) {
      has_patterns |= row.key.empty();
      if (row.value.empty() || is_known(row.key)) return;
      TablePlace place = place_in_table(config_, config_.aliases_table, row.line);
      Result<std::vector<std::string>> targets = rewrite::parse_targets(row.value);
      if (!targets) return fail(place, targets.error());
      if (!row.key.empty()) return add({std::string(row.key), std::move(*targets)}, std::move(place));
      for (const std::string& target : *targets)
        if (const std::string fault = rewrite::fault_of_target(target, true); !fault.empty())
          fail(place, fault);
    });
    return has_patterns;
  }

  std::vector<rewrite::Alias> take() { return std::move(list_); }

 private:
  void begin_source() {
    for (const rewrite::Alias& alias : list_) known_.insert(mail::lookup_key(alias.name));
  }
  bool is_known(std::string_view name) const { return known_.contains(mail::lookup_key(name)); }

  void add(rewrite::Alias alias, TablePlace place) {
    list_.push_back(std::move(alias));
    result_.places.push_back(std::move(place));
  }
  void fail(const TablePlace& place, const std::string& text) {
    if (result_.errors.size() < most_told) result_.errors.push_back({place.file, place.where, text});
  }

  const Config& config_;
  AliasesResult& result_;
  std::vector<rewrite::Alias> list_;
  std::set<std::string> known_;  // of the sources before
};

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

// The certificate and the key by which an application proves its identity (RFC 7523) must fit each other.
void check_certificates(const route::Router& router, std::vector<config::Diagnostic>& errors) {
  std::set<const config::OAuth2*> seen;
  const auto check = [&](const route::Choice& choice) {
    const config::OAuth2* const oauth2 = choice.oauth2;
    if (!oauth2 || oauth2->client_certificate.empty() || !seen.insert(oauth2).second) return;
    const auto made = net::TlsServerContext::create({{oauth2->client_certificate, oauth2->client_key}});
    if (made) return;
    const std::string file(choice.file.empty() ? router.config().file : choice.file);
    errors.push_back({file, oauth2->where, made.error()});
  };
  for (const route::Upstream& upstream : router.upstreams()) check(router.own_account(upstream));
  for (const std::vector<route::Choice>& choices : router.choices()) std::ranges::for_each(choices, check);
}

void add_stamps(const std::vector<std::string>& paths, disk::FileStamps& files) {
  for (const std::string& path : paths) files.emplace(path, disk::file_stamp(path));
}

// With fewer than sixteen octets, somebody would guess it.
Secret read_http_token(const Config& config, std::vector<config::Diagnostic>& errors) {
  if (!config.http || !config.http->token.given()) return {};
  const config::SecretSource& source = config.http->token;
  Result<Secret> token = source.read();
  std::string fault = token ? "" : token.error();
  if (token && token->reveal().size() < 16) fault = "the token of 'http' has 16 octets at least";
  if (token && !std::ranges::all_of(token->reveal(), [](char c) { return c > ' ' && c < 0x7f; }))
    fault = "the token of 'http' is visible ASCII without blanks, as it goes into a header field";
  if (fault.empty()) return std::move(*token);
  errors.push_back({config.file, source.where, fault});
  return {};
}

// The files that may have to change before it can be loaded.
void add_files_in_trouble(const fs::path& file, const config::Environment& environment, SetupResult& result) {
  for (const config::Diagnostic& error : result.errors) add_stamps({error.file}, result.files);
  const config::Loaded named = config::load_file(file, environment, {.secrets = false, .variables = false});
  if (named.config) add_stamps(named_files(*named.config), result.files);
}

}  // namespace

AliasesResult make_aliases(const Config& config, std::shared_ptr<const table::Tables> tables) {
  AliasesResult result;
  AliasList list(config, result);
  if (!config.aliases_file.empty()) list.add_file();
  rewrite::Aliases::Ask ask;
  const table::Table* const table = tables->table(config.aliases_table);
  if (table && list.add_table(*table))
    ask = [table, tables](std::string_view key) -> std::optional<std::vector<std::string>> {
      const std::optional<std::string> value = table->find(key);
      if (!value) return std::nullopt;
      Result<std::vector<std::string>> targets = rewrite::parse_targets(*value);
      return targets ? std::move(*targets) : std::vector<std::string>();
    };
  result.aliases = std::make_shared<rewrite::Aliases>(
      list.take(), std::vector{config.origin, config.hostname}, std::move(ask));
  for (const rewrite::Aliases::Fault& fault : result.aliases->faults()) {
    const TablePlace& place = result.places[fault.alias];
    if (result.errors.size() == most_told) break;
    result.errors.push_back({place.file, place.where, fault.text + elsewhere(result.places, fault)});
  }
  return result;
}

SetupResult make_setup(config::Loaded loaded) {
  SetupResult result{std::nullopt, std::move(loaded.errors), std::move(loaded.warnings)};
  if (!loaded.config) return result;
  add_stamps(watched_files(*loaded.config), result.files);
  Setup setup;
  setup.config = loaded.config;
  TablesResult tables = make_tables(*loaded.config);
  route::Router::Built built = route::Router::build(loaded.config, tables.tables);
  result.errors.insert(result.errors.end(), built.errors.begin(), built.errors.end());
  setup.router = built.router;
  if (setup.router) check_certificates(*setup.router, result.errors);
  setup.accounts = read_accounts(*loaded.config, result.errors);
  std::ranges::move(tables.errors, std::back_inserter(result.errors));
  std::ranges::move(check_values(*loaded.config, *tables.tables), std::back_inserter(result.errors));
  AliasesResult aliases = make_aliases(*loaded.config, tables.tables);
  std::ranges::move(aliases.errors, std::back_inserter(result.errors));
  result.files.merge(aliases.files);
  setup.aliases = std::move(aliases.aliases);
  setup.copies = std::make_shared<const rewrite::Copies>(loaded.config->bcc, tables.tables);
  setup.staging = std::make_shared<const rewrite::Staging>(
      loaded.config->staging ? rewrite::Staging(*loaded.config->staging) : rewrite::Staging());
  setup.taken =
      std::make_shared<const rewrite::RewriteRules>(loaded.config->changes.rewrite, rewrite::When::taken);
  SigningKeysResult keys = read_signing_keys(*loaded.config);
  std::ranges::move(keys.errors, std::back_inserter(result.errors));
  if (setup.router)
    setup.ways_out =
        std::make_shared<const WaysOut>(setup.router, setup.staging, tables.tables, std::move(keys.keys));
  setup.access = std::make_shared<const Access>(loaded.config->access, tables.tables);
  WebhookSecretsResult webhooks = read_webhook_secrets(*loaded.config);
  std::ranges::move(webhooks.errors, std::back_inserter(result.errors));
  setup.webhook_secrets = std::make_shared<const WebhookSecrets>(std::move(webhooks.secrets));
  setup.http_token = read_http_token(*loaded.config, result.errors);
  setup.tls = read_certificates(*loaded.config, result.errors);
  setup.needs = needs_of(*loaded.config);
  if (result.errors.empty()) result.setup = std::move(setup);
  config::speak_of_variables(loaded.config->file, result.errors);
  return result;
}

SetupResult make_setup(const std::optional<std::filesystem::path>& file) {
  const config::Environment environment = config::process_environment();
  if (!file) return make_setup(config::load_environment(environment, {.variables = false}));
  disk::FileStamps files = {{file->string(), disk::file_stamp(file->string())}};
  SetupResult result = make_setup(config::load_file(*file, environment, {.variables = false}));
  result.files.merge(files);
  if (!result.setup) add_files_in_trouble(*file, environment, result);
  return result;
}

}  // namespace relayd
