#include "shared/config/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <set>
#include <unordered_map>

#include "shared/base/ascii.hpp"
#include "shared/config/conditions.hpp"
#include "shared/config/suggest.hpp"
#include "shared/config/value.hpp"
#include "shared/dns/answer.hpp"

namespace relayd::config {
namespace {

using Names = std::vector<std::string_view>;

// Whether a key must hold is asked of the node, not of the value: a value that could not be read has had its
// complaint already.
void require(Reader& reader, const Node& node, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys)
    if (!node.has(key)) reader.error(node.place, fmt::format("'{}' is missing here", key));
}

// The node under a path of keys, or an empty one.
const Node& below(const Node& root, std::initializer_list<std::string_view> keys) {
  static const Node none;
  const Node* node = &root;
  for (const std::string_view key : keys) {
    node = node->find(key);
    if (!node) return none;
  }
  return *node;
}

// The values of a key that takes one or a list.
std::vector<const Node*> scalars(const Node& node) {
  std::vector<const Node*> result;
  if (node.kind == Node::Kind::scalar) result.push_back(&node);
  for (const Node& item : node.items)
    if (item.kind == Node::Kind::scalar) result.push_back(&item);
  return result;
}

// Calls check(node, value) for each element of a list of sections that is a section.
template <class T, class Check>
void for_each_section(const Node& list, const std::vector<T>& values, Check check) {
  for (std::size_t i = 0; i < list.items.size(); ++i)
    if (list.items[i].kind == Node::Kind::map) check(list.items[i], values[i]);
}

// Complains about the second of two equal names; false then.
class Unique {
 public:
  explicit Unique(std::size_t expected = 0) : places_(expected) {}

  bool add(Reader& reader, const Place& place, const std::string& name, std::string_view what) {
    const auto [found, fresh] = places_.emplace(name, place);
    if (fresh) return true;
    const Place& first = found->second;
    const std::string file = first.source == place.source ? "" : fmt::format(" of {}", reader.file_of(first));
    reader.error(place,
                 fmt::format("duplicate {} '{}' (first in line {}{})", what, name, first.where.line, file));
    return false;
  }

 private:
  std::unordered_map<std::string, Place> places_;
};

// --- accounts ---------------------------------------------------------------------------------------------

void check_accounts(Reader& reader, const Node& root, const Config& config) {
  for_each_section(below(root, {"tls", "certificates"}), config.certificates,
                   [&](const Node& node, const Certificate&) {
                     require(reader, node, {"certificate", "key"});
                   });
  Unique names;
  for_each_section(below(root, {"accounts"}), config.accounts, [&](const Node& node, const Account& account) {
    require(reader, node, {"name"});
    if (!node.has("password") && !node.has("scram_sha_256"))
      reader.error(node.place, "an account needs one of password and scram_sha_256");
    if (node.has("password") && node.has("scram_sha_256"))
      reader.error(node.place_of("scram_sha_256"),
                   "an account has one of password and scram_sha_256, not both");
    if (account.may_send_as_header && account.may_send_as.empty())
      reader.error(node.place_of("may_send_as_header"), "there is no 'may_send_as' to hold the header to");
    check_account_name(reader, node.place_of("name"), account);
    if (!account.name.empty()) names.add(reader, node.find("name")->place, account.name, "account");
  });
  for (const Account& account : config.accounts)
    if (!account.file.empty()) names.add(reader, {account.where, account.file}, account.name, "account");
}

// --- copies and staging -----------------------------------------------------------------------------------

void check_copies_by_table(Reader& reader, const Node& node, const Node& table, bool has_pattern,
                           const Config& config) {
  if (has_pattern)
    reader.error(table.place,
                 "a copy has one of match, recipient and table; 'of: recipient' goes with a table");
  if (node.has("to"))
    reader.error(node.place_of("to"), "who gets the copy is the table's value: 'to' is for a pattern");
  check_table_name(reader, table, config);
}

void check_copies(Reader& reader, const Node& root, const Config& config) {
  Unique senders;
  Unique recipients;
  for_each_section(below(root, {"bcc"}), config.bcc, [&](const Node& node, const Bcc& rule) {
    const bool has_pattern = node.has("match") || node.has("recipient");
    if (const Node* const table = node.find("table"))
      return check_copies_by_table(reader, node, *table, has_pattern, config);
    require(reader, node, {"to"});
    if (!has_pattern) reader.error(node.place, "a copy needs one of match (the sender), recipient and table");
    if (node.has("of")) reader.error(node.place_of("of"), "'of' says whose table it is: there is no 'table'");
    if (!rule.match.empty())
      (rule.of_recipient ? recipients : senders).add(reader, node.place, rule.match, "match");
  });
}

void check_staging(Reader& reader, const Node& root) {
  const Node& node = below(root, {"staging"});
  if (node.kind != Node::Kind::map) return;
  require(reader, node, {"redirect"});
}

// --- numbers ----------------------------------------------------------------------------------------------

void check_numbers(Reader& reader, const Node& root, const Config& config) {
  const Node& size = below(root, {"limits", "message_size"});
  if (config.limits.message_size == 0_B) reader.error(size.place, "would refuse every message");
  if (config.limits.recipients > most_recipients)
    reader.error(below(root, {"limits", "recipients"}).place,
                 fmt::format("a message can have at most {} recipients", most_recipients));

  const Retry& retry = config.queue.retry;
  const Node& node = below(root, {"queue", "retry"});
  if (retry.factor < 1 || retry.factor > 100)
    reader.error(below(node, {"factor"}).place, "the factor of the retry delay is from 1 to 100");
  if (retry.maximum < retry.first)
    reader.error(node.place_of("maximum"), "the maximum of the retry delay is shorter than 'first'");
  if (retry.jitter < 0 || retry.jitter >= 1)
    reader.error(below(node, {"jitter"}).place, "jitter is a part of the delay: from 0 to below 1");
}

// --- upstreams --------------------------------------------------------------------------------------------

// EXTERNAL (RFC 4422 A) logs in by the client's certificate.
bool external_only(const Node& auth) {
  const std::vector<const Node*> names = scalars(auth);
  const auto is_external = [](const Node* name) {
    return sasl::find_mechanism(name->text) == sasl::Mechanism::external;
  };
  return !names.empty() && std::ranges::all_of(names, is_external);
}

void check_credential(Reader& reader, const Node& node) {
  if (node.has("oauth2")) return check_oauth2(reader, node);
  if (node.has("username") && !node.has("password") && !external_only(below(node, {"auth"})))
    reader.error(node.place_of("username"), "a username needs a password");
  if (node.has("next_password") && !node.has("password"))
    reader.error(node.place_of("next_password"), "there is no password before the next one");
  if (node.has("password") && !node.has("username"))
    reader.error(node.place_of("password"), "a password needs a username");
}

bool stays_here(const Upstream& upstream) {
  return upstream.maildir || !upstream.unix_path.empty();
}

// Why a credential may not travel to this upstream; empty when it may.
std::string_view exposure(const Upstream& upstream) {
  if (stays_here(upstream)) return "it is on this machine and takes no account";
  if (upstream.tls != TlsMode::none && upstream.tls_options.verify) return {};
  // What a proxy takes for loopback is its own; and DNS may name any host.
  const bool is_elsewhere = upstream.mx || upstream.srv || !upstream.proxy.empty();
  if (upstream.host && !is_elsewhere && is_loopback_host(*upstream.host)) return {};
  if (upstream.tls == TlsMode::none)
    return "'tls: none' sends the password in clear: allowed to a host on loopback only";
  return "'verify: none' sends the password to whoever answers: allowed to a host on loopback only";
}

void check_sandbox(Reader& reader, const Node& node) {
  for (const std::string_view key :
       {"provider", "region", "host", "port", "mx", "srv", "tls", "tls_options", "auth", "username",
        "password", "next_password", "oauth2", "pipelining", "protocol", "proxy", "maildir"})
    if (node.has(key))
      reader.error(node.place_of(key), fmt::format("a sandbox sends nothing: it has no '{}'", key));
  const Node& sandbox = *node.find("sandbox");
  if (sandbox.kind == Node::Kind::map || sandbox.kind == Node::Kind::null)
    require(reader, sandbox, {"directory"});
}

void check_tls_options(Reader& reader, const Node& node, const TlsOptions& options) {
  if (node.has("client_certificate") != node.has("client_key"))
    reader.error(node.place_of(node.has("client_key") ? "client_key" : "client_certificate"),
                 "client_certificate and client_key belong together: one of them is missing");
  if (!options.verify && node.has("pin_sha256"))
    reader.error(
        node.place_of("pin_sha256"),
        "a pin is demanded beside verification, not instead of it: for a server with a certificate of "
        "its own write 'ca_file' instead of 'verify: none'");
}

void check_upstream(Reader& reader, const Node& node, const Place& place, const Upstream& upstream) {
  if (node.has("sandbox")) return check_sandbox(reader, node);
  check_reach(reader, node, upstream);
  if (node.has("maildir") || stays_here(upstream)) return;
  if (!node.has("provider") && !node.has("host"))
    reader.error(
        place, fmt::format("upstream '{}' needs one of provider, host, maildir and sandbox", upstream.name));
  if (node.has("region") && !node.has("provider"))
    reader.error(node.place_of("region"), "only a provider has regions");
  check_credential(reader, node);
  if ((node.has("username") || node.has("oauth2")) && !exposure(upstream).empty())
    reader.error(node.place_of(upstream.tls == TlsMode::none ? "tls" : "tls_options"),
                 std::string(exposure(upstream)));
  check_tls_options(reader, below(node, {"tls_options"}), upstream.tls_options);
}

void check_upstreams(Reader& reader, const Node& root, const Config& config) {
  const Node& map = below(root, {"upstreams"});
  for (std::size_t i = 0; i < config.upstreams.size(); ++i) {
    const Entry& entry = map.entries[i];
    const bool empty_section = entry.value.kind == Node::Kind::null;
    if (entry.key.empty() || has_control_character(entry.key))
      reader.error(entry.place, "the name of an upstream is a text without control characters");
    if (entry.value.kind == Node::Kind::map || empty_section)
      check_upstream(reader, entry.value, entry.place, config.upstreams[i]);
  }
}

// --- senders ----------------------------------------------------------------------------------------------

Names upstream_names(const Config& config) {
  Names names;
  for (const Upstream& upstream : config.upstreams) names.push_back(upstream.name);
  return names;
}

// The upstreams that a rule names: a name or a map with one, alone or in a list.
std::vector<const Node*> targets(const Node& rule) {
  const Node& node = below(rule, {"upstream"});
  std::vector<const Node*> result;
  const auto add = [&result](const Node& item) {
    if (item.kind == Node::Kind::scalar || item.kind == Node::Kind::map) result.push_back(&item);
  };
  add(node);
  for (const Node& item : node.items) add(item);
  return result;
}

void check_target(Reader& reader, const Node& item, bool with_account, const Config& config,
                  std::set<std::string_view>& seen) {
  const Node& name = item.kind == Node::Kind::map ? below(item, {"name"}) : item;
  if (item.kind == Node::Kind::map) {
    require(reader, item, {"name"});
    check_credential(reader, item);
  }
  if (name.kind != Node::Kind::scalar || name.text.empty()) return;
  const Upstream* upstream = config.upstream(name.text);
  if (!upstream)
    reader.error(name.place, fmt::format("unknown upstream '{}'{}", name.text,
                                         suggestion(name.text, upstream_names(config))));
  else if (!seen.insert(name.text).second)
    reader.error(name.place, fmt::format("upstream '{}' is named twice", name.text));
  else if (with_account && !exposure(*upstream).empty())
    reader.error(name.place, fmt::format("upstream '{}': {}", name.text, exposure(*upstream)));
}

// The key by which a rule, or one of its upstreams, has an account of its own; empty: it has none.
std::string_view account_key(const Node& node) {
  for (const std::string_view key : {"username", "password", "oauth2"})
    if (node.has(key)) return key;
  return {};
}

// A name that stands as a key.
void check_share(Reader& reader, const Entry& entry, const Config& config) {
  if (!config.upstream(entry.key))
    reader.error(entry.place, fmt::format("unknown upstream '{}'{}", entry.key,
                                          suggestion(entry.key, upstream_names(config))));
}

void check_shares(Reader& reader, const Node& rule, const Node& shares, const Config& config) {
  for (const std::string_view own : {"username", "password"})
    if (rule.has(own))
      reader.error(rule.place_of(own),
                   fmt::format("'{}' beside upstreams with shares: write them as a list, each "
                               "with its name, account and weight",
                               own));
  bool any = false;
  for (const Entry& entry : shares.entries) {
    check_share(reader, entry, config);
    any |= entry.value.text.find_first_not_of('0') != std::string::npos;
  }
  if (!any) reader.error(shares.place, "no upstream has a share above 0");
}

// A credential is for the one upstream that it is written beside: another host must never see it.
void check_targets(Reader& reader, const Node& node, const Config& config) {
  const Node& shares = below(node, {"upstream"});
  if (holds_shares(shares)) return check_shares(reader, node, shares, config);
  const std::vector<const Node*> items = targets(node);
  const std::string_view own = account_key(node);
  if (!own.empty() && items.size() > 1)
    reader.error(node.place_of(own),
                 fmt::format("'{}' beside more than one upstream: each host would be given it; write the "
                             "account beside its upstream: '{{name: NAME, username: ..., password: ...}}'",
                             own));
  std::set<std::string_view> seen;
  for (const Node* item : items) {
    if (!account_key(*item).empty() && !own.empty() && items.size() == 1)
      reader.error(node.place_of(own), "the upstream has an account beside it already");
    const bool logs_in = !own.empty() || !account_key(*item).empty();
    check_target(reader, *item, logs_in, config, seen);
  }
}

void check_rules(Reader& reader, const Node& list, const std::vector<SenderRule>& rules,
                 const Config& config) {
  Unique patterns(rules.size());
  const auto check_match = [&](const Place& place, const SenderRule& rule) {
    const Result<std::string> pattern = parse_pattern(rule.match);
    if (!pattern)
      reader.error(place, pattern.error());
    else if (!asks_more(rule.conditions))  // else route knows which ask for the same
      patterns.add(reader, place, *pattern, "match");
  };
  for_each_section(list, rules, [&](const Node& node, const SenderRule& rule) {
    check_sender(reader, node, config);
    if (!rule.match.empty()) check_match(node.find("match")->place, rule);
  });
  for (const SenderRule& rule : rules)
    if (!rule.file.empty() && !rule.match.empty()) check_match({rule.where, rule.file}, rule);
}

// --- access -----------------------------------------------------------------------------------------------

void check_access(Reader& reader, const Node& root, const Config& config) {
  for (const std::string_view list : {"senders", "recipients"})
    if (const Node* const table = below(root, {"access", list}).find("table"))
      for (const Node* const name : scalars(*table)) check_table_name(reader, *name, config);
}

// --- tables -----------------------------------------------------------------------------------------------

void check_tables(Reader& reader, const Node& root, const Config& config) {
  for (const std::string_view key : {"aliases_table", "senders_table"})
    if (const Node* const table = root.find(key)) check_table_name(reader, *table, config);
  for (const Entry& entry : below(root, {"tables"}).entries) {
    if (entry.key.empty() || has_control_character(entry.key))
      reader.error(entry.place, "the name of a table is a text without control characters");
    if (entry.value.kind != Node::Kind::map && entry.value.kind != Node::Kind::null) continue;
    if (entry.value.has("file") == entry.value.has("regexp"))
      reader.error(entry.place, fmt::format("table '{}' needs one of file and regexp", entry.key));
  }
}

// --- signing keys -----------------------------------------------------------------------------------------

void check_dkim(Reader& reader, const Node& root, const Config& config) {
  constexpr std::size_t longest_name = 253;
  constexpr std::chrono::hours least_life{24};
  Unique names;
  for_each_section(below(root, {"dkim"}), config.dkim, [&](const Node& node, const DkimKey& key) {
    require(reader, node, {"domain", "selector", "key"});
    if (key.expires_after && *key.expires_after < least_life)
      reader.error(node.place_of("expires_after"), "mail may wait at the next hop for days: 1d is the least");
    if (key.domain.empty() || key.selector.empty()) return;
    const std::string name = dns::dkim_name(key.selector, key.domain);
    if (name.size() > longest_name)
      reader.error(node.place_of("selector"),
                   "the name of the record is too long: choose a shorter selector");
    names.add(reader, node.find("selector")->place, name, "key");
  });
}

void warn_of_unused(Reader& reader, const Node& root, const Config& config) {
  if (!config.senders_table.empty()) return;  // it may use any of them
  if (config.senders.empty() && config.recipients.empty())
    reader.warn(root.place_of("senders"), "no sender rule: all mail will be refused");
  std::set<std::string_view> used;
  for (const auto* rules : {&config.recipients, &config.senders})
    for (const SenderRule& rule : *rules)
      for (const RuleUpstream& upstream : rule.upstreams) used.insert(upstream.name);
  for (const Entry& entry : below(root, {"upstreams"}).entries)
    if (!used.contains(entry.key))
      reader.warn(entry.place, fmt::format("no rule uses the upstream '{}'", entry.key));
}

}  // namespace

bool holds_shares(const Node& upstream) {
  return upstream.kind == Node::Kind::map && !upstream.has("name") && !upstream.entries.empty() &&
         std::ranges::all_of(upstream.entries, [](const Entry& entry) {
           return entry.value.kind == Node::Kind::scalar && !entry.value.text.empty() &&
                  std::ranges::all_of(entry.value.text, ascii::is_digit);
         });
}

void check_table_name(Reader& reader, const Node& node, const Config& config) {
  if (node.kind != Node::Kind::scalar || node.text.empty()) return;
  Names names;
  for (const Table& known : config.tables) names.push_back(known.name);
  if (std::ranges::find(names, node.text) == names.end())
    reader.error(node.place, fmt::format("unknown table '{}'{}", node.text, suggestion(node.text, names)));
}

void check_account_name(Reader& reader, const Place& place, const Account& account) {
  if (account.name.starts_with(unverified_account))
    reader.error(place,
                 fmt::format("a name that begins with '{}' is that of a login which nobody has checked",
                             unverified_account));
}

void check_sender(Reader& reader, const Node& node, const Config& config) {
  require(reader, node, {"match"});
  const bool rejects = node.has("reject");
  if (rejects && node.has("upstream"))
    reader.error(node.place_of("reject"), "a rule has one of upstream and reject, not both");
  if (!rejects && !node.has("upstream")) reader.error(node.place, "a rule needs one of upstream and reject");
  const Node& upstream = below(node, {"upstream"});
  const bool holds_nothing = upstream.kind == Node::Kind::null || upstream.kind == Node::Kind::list;
  if (node.has("upstream") && holds_nothing && upstream.items.empty())
    reader.error(node.place_of("upstream"), "no upstream is named");
  if (rejects && node.has("rewrite"))
    reader.error(node.place_of("rewrite"), "a rule that rejects sends nothing that could be rewritten");
  for (const std::string_view key : {"username", "oauth2"})
    if (rejects && node.has(key)) reader.error(node.place_of(key), "a rule that rejects logs in nowhere");
  if (rejects && node.has("headers"))
    reader.error(node.place_of("headers"), "a rule that rejects sends nothing: it has no 'headers'");
  check_credential(reader, node);
  check_targets(reader, node, config);
}

void check_config(Reader& reader, const Node& root, const Config& config) {
  check_listeners(reader, root, config);
  check_accounts(reader, root, config);
  check_access(reader, root, config);
  check_copies(reader, root, config);
  check_staging(reader, root);
  check_numbers(reader, root, config);
  check_upstreams(reader, root, config);
  check_rules(reader, below(root, {"recipients"}), config.recipients, config);
  check_rules(reader, below(root, {"senders"}), config.senders, config);
  check_rewrite(reader, root, config);
  check_tables(reader, root, config);
  check_dkim(reader, root, config);
  check_bounce(reader, root, config);
  check_http(reader, root, config);
  check_webhooks(reader, root, config);
  warn_of_unused(reader, root, config);
}

}  // namespace relayd::config
