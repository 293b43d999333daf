// relayhost, default_transport, passwords and the maps by sender: upstreams and the rules of `senders`.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "import/context.hpp"
#include "import/destination.hpp"
#include "route/presets.hpp"
#include "shared/base/ascii.hpp"
#include "shared/config/yaml_text.hpp"

namespace relayd::importing {

namespace {

using config::yaml_quoted;

struct Account {
  std::string username;
  Secret password;
  Place where;
};

struct Way {
  std::string upstream;
  const route::Provider* preset = nullptr;
  bool loopback = false;
  bool clear = false;              // no TLS, or none that is verified
  std::optional<Account> account;  // of the destination
};

class Ways {
 public:
  explicit Ways(Context& context) : context_(context) {}

  void import();

 private:
  // A transport and its nexthop; nothing: what it says was reported.
  const Way* way(const std::string& transport, const std::string& nexthop, const Place& where);
  const Way* make(const std::string& transport, const std::string& nexthop, const Place& where, Way way);
  const Overrides* options_of(const std::string& transport, const Place& where);
  std::optional<Account> account(const std::string& key, const Overrides& options);
  std::string tls(const Destination& to, const std::string& nexthop, const Overrides& options, Way& way,
                  std::string& mode, const Place& where);
  std::string login(const Way& way, const Account& account) {
    const std::string file = context_.draft.add_secret(
        plain_name(way.upstream + "-" + account.username) + ".password", account.password);
    return fmt::format("username: {}\npassword: {{file: {}}}", yaml_quoted(account.username),
                       yaml_quoted(file));
  }
  void add_sender(const std::string& match, const Way& way, const std::optional<Account>& account,
                  const Place& where);
  void refuse(const std::string& match, const Place& where);
  const Way* way_of_sender(const std::string& sender);
  void mark_all();

  Context& context_;
  std::map<std::string, Way> ways_;  // by transport and nexthop
  std::set<std::string> names_;
  std::set<std::string> reported_;
};

const Overrides* Ways::options_of(const std::string& transport, const Place& where) {
  static const Overrides none;
  for (const Service& service : context_.master.services) {
    if (service.name != transport || service.type == "inet") continue;
    if (service.command == "smtp" || service.command == "lmtp") return &service.overrides;
    context_.report.left(where, fmt::format("the transport '{}' is {}, a program that relayd does not run",
                                            transport, service.command));
    return nullptr;
  }
  if (transport == "smtp" || transport == "relay" || transport == "lmtp") return &none;
  context_.report.left(
      where, fmt::format("the transport '{}' is not in master.cf, or is none that sends mail on", transport));
  return nullptr;
}

std::optional<Account> Ways::account(const std::string& key, const Overrides& options) {
  if (!context_.flag("smtp_sasl_auth_enable", options)) return std::nullopt;
  const Row* const row = find_row(context_.tables("smtp_sasl_password_maps", options), key);
  if (!row) return std::nullopt;
  const std::size_t colon = std::min(row->value.find(':'), row->value.size());
  if (colon >= row->value.size()) {
    if (reported_.insert(to_string(row->where)).second)
      context_.report.left(row->where, "a row that is no USERNAME:PASSWORD");
    return std::nullopt;
  }
  return Account{row->value.substr(0, colon), Secret(row->value.substr(colon + 1)), row->where};
}

// The lines of the upstream, and how it is connected to: starttls, implicit, none.
std::string Ways::tls(const Destination& to, const std::string& nexthop, const Overrides& options, Way& way,
                      std::string& mode, const Place& where) {
  std::string level = ascii::lower(context_.value("smtp_tls_security_level", options));
  if (level.empty() && context_.flag("smtp_enforce_tls", options)) level = "verify";
  if (level.empty() && context_.flag("smtp_use_tls", options)) level = "may";
  for (const std::string& key : {nexthop, to.host})
    if (const Row* const row = find_row(context_.tables("smtp_tls_policy_maps", options), key)) {
      const std::vector<std::string> words = words_of(row->value);
      level = words.empty() ? level : ascii::lower(words.front());
      if (words.size() > 1)
        context_.report.left(row->where, "what stands behind the level; see `tls_options` of the upstream");
      else
        context_.report.carried(row->where, fmt::format("TLS of the upstream '{}'", way.upstream));
      break;
    }
  const auto tell = [&](std::string_view text) {
    context_.report.carried(where, fmt::format("TLS to {}: {}", to.host, text));
  };
  if (level == "fingerprint" || level == "dane" || level == "dane-only")
    context_.report.left(
        where, fmt::format("TLS to {} is '{}': relayd verifies its certificate by its authority and "
                           "name instead; for a key of its own see `tls_options.pin_sha256`",
                           to.host, level));
  if (context_.flag("smtp_tls_wrappermode", options)) {
    mode = "implicit";
  } else if ((level.empty() || level == "none" || level == "may") && way.loopback) {
    mode = "none";
  } else if ((level.empty() || level == "none") && !way.account) {
    mode = "none";
  } else if (level.empty() || level == "none") {
    tell("Postfix sent the password in clear text; relayd sends it by verified STARTTLS alone");
  } else if (level == "may") {
    tell(
        "Postfix took TLS where it was offered, and verified nothing; relayd demands STARTTLS and verifies "
        "it. For "
        "a server that cannot, write `tls: none` or `tls_options: {verify: none}`, without a password");
  }
  std::string lines;
  way.clear = mode == "none";
  if (mode == "none") return lines;
  if (level == "encrypt" && (!way.account || way.loopback) && !way.preset) {
    lines += "\n  verify: none";
    way.clear = true;
  } else if (level == "encrypt") {
    tell("Postfix encrypted and did not verify; relayd verifies the certificate");
  }
  const std::string authorities = context_.value("smtp_tls_CAfile", options);
  if (!authorities.empty() && authorities != "/etc/ssl/certs/ca-certificates.crt")
    lines += fmt::format("\n  ca_file: {}", yaml_quoted(authorities));
  return lines.empty() ? "" : "\ntls_options:" + lines;
}

const Way* Ways::make(const std::string& transport, const std::string& nexthop, const Place& where, Way way) {
  const Overrides* const options = options_of(transport, where);
  if (!options) return nullptr;
  const Result<Destination> parsed = parse_destination(nexthop);
  if (!parsed) {
    context_.report.left(where, parsed.error());
    return nullptr;
  }
  const Destination& to = *parsed;
  way.loopback = to.host == "localhost" || to.host.starts_with("127.") || to.host == "::1";
  way.account = account(to.host, *options);
  if (!way.account) way.account = account(nexthop, *options);
  const std::optional<KnownHost> known = known_host(to.host);
  if (known) way.preset = known->preset;
  way.upstream = known ? std::string(known->preset->name) : plain_name(to.host);
  for (int i = 2; !names_.insert(way.upstream).second; ++i)
    way.upstream = fmt::format("{}-{}", known ? std::string(known->preset->name) : plain_name(to.host), i);
  std::string mode = "starttls";
  const std::string tls_lines = tls(to, nexthop, *options, way, mode, where);
  if (known) {
    const auto endpoint = std::ranges::find(known->preset->endpoints, to.port, &route::Endpoint::port);
    const bool usable = endpoint != known->preset->endpoints.end() &&
                        (endpoint->tls == smtp::TlsMode::implicit) == (mode == "implicit") &&
                        mode != "none" && !known->preset->takes_tokens_alone() &&
                        (!way.account || route::may_be_username(*known->preset, way.account->username));
    if (!usable) way.preset = nullptr;
  }
  std::string lines;
  if (way.preset) {
    lines = fmt::format("provider: {}", way.preset->name);
    if (!known->region.empty()) lines += fmt::format("\nregion: {}", known->region);
    if (way.preset->endpoints.front().port != to.port) lines += fmt::format("\nport: {}", to.port);
  } else {
    lines = fmt::format("host: {}\nport: {}\ntls: {}", yaml_quoted(to.host), to.port, mode);
    if (to.mx && !way.loopback) lines += "\nmx: true";
  }
  lines += tls_lines;
  if (way.account && way.account->username.empty()) way.account.reset();
  if (way.account && way.clear && !way.loopback) {
    context_.report.left(way.account->where, "its password, which relayd does not send without verified TLS");
    way.account.reset();
  }
  if (way.account) {
    lines += "\n" + login(way, *way.account);
    context_.report.carried(way.account->where,
                            fmt::format("the account '{}' of the upstream '{}', its password in a "
                                        "file of its own",
                                        way.account->username, way.upstream));
  }
  const std::string delay = context_.value(transport + "_destination_rate_delay");
  std::string limits;
  const auto limit = [&](std::string_view what, std::string_view key) {
    for (const std::string& name : {transport + std::string(what), "default" + std::string(what)})
      if (context_.is_set(name)) {
        const std::string value = context_.value(name);
        if (value.empty() || value == "0" || value.find_first_not_of("0123456789") != std::string::npos)
          continue;
        limits += fmt::format("\n  {}: {}", key, value);
        return context_.carried(name, fmt::format("`limits.{}` of the upstream '{}'", key, way.upstream));
      }
  };
  limit("_destination_concurrency_limit", "connections");
  limit("_destination_recipient_limit", "recipients_per_message");
  if (const std::optional<int> seconds = seconds_of(delay, 's');
      seconds && *seconds > 0 && *seconds <= 3600) {
    limits += fmt::format("\n  rate: {} messages/h", 3600 / *seconds);
    context_.carried(transport + "_destination_rate_delay", "`limits.rate` of the upstream, an even pace");
  }
  if (!limits.empty()) lines += "\nlimits:" + limits;
  std::string yaml = fmt::format("{}:\n", yaml_quoted(way.upstream));
  for (std::size_t at = 0; at < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', at), lines.size());
    yaml += "  " + lines.substr(at, end - at) + "\n";
    at = end + 1;
  }
  yaml.pop_back();
  context_.draft.add(Section::upstreams, yaml, where, way.upstream);
  return &ways_.emplace(transport + ":" + nexthop, std::move(way)).first->second;
}

const Way* Ways::way(const std::string& transport, const std::string& nexthop, const Place& where) {
  const auto found = ways_.find(transport + ":" + nexthop);
  return found != ways_.end() ? &found->second : make(transport, nexthop, where, {});
}

void Ways::add_sender(const std::string& match, const Way& way, const std::optional<Account>& account,
                      const Place& where) {
  std::string yaml =
      fmt::format("- match: {}\n  upstream: {}", yaml_quoted(match), yaml_quoted(way.upstream));
  if (account && way.clear && !way.loopback) {
    context_.report.left(account->where, "its password, which relayd does not send without verified TLS");
    return refuse(match, where);
  }
  if (account) {
    yaml += "\n";
    for (const char c : "  " + login(way, *account))
      yaml += c == '\n' ? std::string("\n  ") : std::string(1, c);
  }
  context_.draft.add(Section::senders, yaml, where, match);
  context_.report.carried(where, fmt::format("mail of {} leaves through the upstream '{}'{}", match,
                                             way.upstream, account ? " as '" + account->username + "'" : ""));
}

// A rule of its own for a sender whose way could not be carried over: no other rule takes that mail.
void Ways::refuse(const std::string& match, const Place& where) {
  context_.draft.add(Section::senders, refusal_of(match), where, match);
  context_.report.left(
      where, fmt::format("the way of mail of {}: relayd refuses that mail until its rule of `senders` "
                         "names an upstream",
                         match == "*" ? "all senders without a rule" : match));
}

// A row of the maps by sender; for an address also that of its domain.
const Row* row_of_sender(const std::vector<Map>& maps, const std::string& sender) {
  if (const Row* const row = find_row(maps, sender)) return row;
  const std::size_t at = sender.rfind('@');
  return at == std::string::npos || at == 0 ? nullptr : find_row(maps, sender.substr(at));
}

const Way* Ways::way_of_sender(const std::string& sender) {
  std::string transport = context_.value("default_transport"), nexthop = context_.value("relayhost");
  Place where = context_.place("relayhost");
  if (const Row* const row = row_of_sender(context_.tables("sender_dependent_relayhost_maps"), sender);
      row && row->value != "DUNNO") {
    nexthop = row->value;
    where = row->where;
  }
  if (const Row* const row =
          row_of_sender(context_.tables("sender_dependent_default_transport_maps"), sender);
      row && row->value != "DUNNO") {
    transport = row->value;
    where = row->where;
  }
  const std::size_t colon = transport.find(':');
  if (colon != std::string::npos) {
    if (colon + 1 < transport.size()) nexthop = transport.substr(colon + 1);
    transport.erase(colon);
  }
  if (transport.empty()) transport = "smtp";
  if (nexthop.empty()) {
    if (reported_.insert("direct " + sender).second)
      context_.report.left(
          where, fmt::format("mail of {} went to the servers of each recipient's domain. relayd sends "
                             "through an upstream: name one, and a rule of `senders`",
                             sender.empty() ? "all other senders" : sender));
    return nullptr;
  }
  if (words_of(nexthop).size() > 1) {
    context_.report.left(where,
                         "only the first of several relay hosts; add the others to `upstream` of the rule");
    nexthop = words_of(nexthop).front();
  }
  return way(transport, ascii::lower(nexthop), where);
}

void Ways::mark_all() {
  context_.carried("default_transport", "the way of mail that no other rule is for");
  context_.carried("sender_dependent_relayhost_maps", "rules of `senders`, a row each");
  context_.carried("sender_dependent_default_transport_maps", "rules of `senders`, a row each");
  context_.carried("smtp_sasl_auth_enable", "an upstream with `username` logs in, any other does not");
  if (context_.flag("smtp_sasl_auth_enable") || !context_.is_set("smtp_sasl_password_maps"))
    context_.carried("smtp_sasl_password_maps",
                     "accounts of upstreams and rules; each password in a file of its own");
  else
    context_.left("smtp_sasl_password_maps",
                  "smtp_sasl_auth_enable is off in main.cf: only services that switch it on log in");
  context_.carried("smtp_sender_dependent_authentication", "an account in a rule of `senders`");
  for (const char* name :
       {"smtp_tls_security_level", "smtp_use_tls", "smtp_enforce_tls", "smtp_tls_wrappermode"})
    context_.carried(name, "`tls` of each upstream; relayd verifies wherever it sends a password");
  context_.carried("smtp_tls_policy_maps", "`tls` of each upstream that a row is for");
  context_.carried("smtp_tls_CAfile",
                   "`tls_options.ca_file`, or the system's authorities, which are the default");
}

void Ways::import() {
  const Way* const usual = way_of_sender("");
  if (usual)
    context_.carried("relayhost",
                     fmt::format("the upstream '{}'{}, for all senders without a rule of their own",
                                 usual->upstream, usual->preset ? " of a provider that relayd knows" : ""));
  context_.mark("relayhost");
  std::vector<std::pair<std::string, Place>> keys;
  std::set<std::string> seen;
  std::vector<const char*> names = {"sender_dependent_default_transport_maps",
                                    "sender_dependent_relayhost_maps"};
  const bool by_sender =
      context_.flag("smtp_sender_dependent_authentication") && context_.flag("smtp_sasl_auth_enable");
  if (by_sender) names.push_back("smtp_sasl_password_maps");
  for (const char* const name : names)
    for (const Map& map : context_.tables(name)) {
      if (map.kind == Map::Kind::patterns || map.kind == Map::Kind::fixed)
        context_.report.left(context_.place(name),
                             fmt::format("{}: {} says it by patterns or for all; write rules of "
                                         "`senders`",
                                         name, map.name));
      if (map.kind != Map::Kind::rows) continue;
      for (const Row& row : map.rows) {
        if (row.key.find('@') != std::string::npos) {
          if (seen.insert(row.key).second) keys.emplace_back(row.key, row.where);
        } else if (name != std::string_view("smtp_sasl_password_maps")) {
          context_.report.left(row.where, "a sender without a domain; write its whole address");
        }
      }
    }
  for (const auto& [sender, where] : keys) {
    const Way* const way = way_of_sender(sender);
    if (!way) {
      refuse(sender, where);
      continue;
    }
    std::optional<Account> own;
    static const Overrides none;
    if (by_sender) own = account(sender, none);
    if (by_sender && !own && !sender.starts_with('@')) own = account(sender.substr(sender.rfind('@')), none);
    add_sender(sender, *way, own, where);
  }
  // Whose mail goes elsewhere is not known then, and nobody's may leave as somebody else.
  bool is_known = true;
  for (const char* const name : names)
    for (const Map& map : context_.tables(name)) is_known = is_known && map.kind == Map::Kind::rows;
  if (!is_known || !usual)
    refuse("*", context_.place("relayhost"));
  else
    context_.draft.add(Section::senders,
                       fmt::format("- {{match: \"*\", upstream: {}}}", yaml_quoted(usual->upstream)),
                       context_.place("relayhost"), "*");
  for (const Map& map : context_.tables("smtp_sasl_password_maps"))
    for (const Row& row : map.rows)
      if (row.key.find('@') == std::string::npos && context_.flag("smtp_sasl_auth_enable") &&
          std::ranges::none_of(ways_, [&](const auto& one) {
            return one.second.account && to_string(one.second.account->where) == to_string(row.where);
          }))
        context_.report.left(row.where, "an account for a host that no mail goes to");
  mark_all();
}

}  // namespace

void import_routes(Context& context) {
  Ways(context).import();
}

}  // namespace relayd::importing
