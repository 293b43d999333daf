// The smtpd services of master.cf, inet_interfaces and mynetworks: `listen`.
#include <fmt/format.h>

#include "import/context.hpp"
#include "import/destination.hpp"
#include "shared/base/ascii.hpp"
#include "shared/config/yaml_text.hpp"

namespace relayd::importing {

namespace {

using config::yaml_quoted;

bool is_loopback(std::string_view host) {
  return host.starts_with("127.") || host == "[::1]";
}

// The hosts that a service without one listens on.
std::vector<std::string> hosts_of(Context& context, const Overrides& options) {
  const std::string protocols = context.value("inet_protocols", options);
  const bool four =
      protocols.find("ipv6") == std::string::npos || protocols.find("ipv4") != std::string::npos;
  const bool six =
      context.facts.has_ipv6 && (protocols == "all" || protocols.find("ipv6") != std::string::npos);
  std::vector<std::string> hosts;
  for (const std::string& word : words_of(context.value("inet_interfaces", options))) {
    const bool all = word == "all", loopback = word == "loopback-only" || word == "localhost";
    if ((all || loopback) && four) hosts.emplace_back(all ? "0.0.0.0" : "127.0.0.1");
    if ((all || loopback) && six) hosts.emplace_back(all ? "[::]" : "[::1]");
    if (all || loopback) continue;
    const std::string bare = word.starts_with('[') ? word.substr(1, word.size() - 2) : word;
    if (bare.find(':') != std::string::npos)
      hosts.push_back("[" + bare + "]");
    else if (bare.find_first_not_of("0123456789.") == std::string::npos)
      hosts.push_back(bare);
    else
      context.left("inet_interfaces", fmt::format("'{}' is a name: write its address in `listen`", bare));
  }
  return hosts;
}

// Without the lines that are comments.
std::string without_comments(std::string_view text) {
  std::string kept;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first != std::string_view::npos && line[first] != '#') kept += std::string(line) + "\n";
    at = end + 1;
  }
  return kept;
}

// An address or a network, as far as its letters tell: "10.0.0.0/8", "fe80::/10".
bool may_be_network(std::string_view text) {
  return text.find_first_of(".:") != std::string_view::npos &&
         text.find_first_not_of("0123456789abcdefABCDEF.:/") == std::string_view::npos;
}

// The networks of mynetworks, as `allow` has them. `excludes`: there are words with '!', which `allow` does
// not have.
std::vector<std::string> networks(Context& context, const Overrides& options, bool& excludes, int depth = 0,
                                  std::string_view list = {}) {
  std::vector<std::string> found;
  if (depth > 3) return found;
  if (depth == 0 && !context.is_set("mynetworks") && !options.contains("mynetworks")) {
    const std::string style = context.value("mynetworks_style");
    if (style != "host")
      context.left("mynetworks_style",
                   "the networks that it stands for; name them in `allow` of the listeners");
    return {"127.0.0.0/8", "::1"};
  }
  const std::string whole = depth == 0 ? context.value("mynetworks", options) : without_comments(list);
  for (const std::string& word : words_of(whole)) {
    std::string network;
    for (const char c : word)
      if (c != '[' && c != ']') network += c;
    if (word.starts_with('!')) {
      excludes = true;
    } else if (word.starts_with('/')) {
      const Result<std::string> text = context.maps.read(word);
      if (!text)
        context.report.left(context.place("mynetworks"),
                            fmt::format("mynetworks: {}: {}", word, text.error()));
      else
        for (std::string& one : networks(context, options, excludes, depth + 1, *text))
          found.push_back(std::move(one));
    } else if (may_be_network(network)) {
      found.push_back(std::move(network));
    } else {
      context.report.left(context.place("mynetworks"),
                          fmt::format("mynetworks: '{}' is no network; name networks in "
                                      "`allow` of the listeners",
                                      word.substr(0, 80)));
    }
  }
  return found;
}

// Whether clients of mynetworks may relay, and those who have logged in.
struct Rights {
  bool networks = false;
  bool logins = false;
};

// A restriction that refuses some mail, or none; or the table of the one before it. What is neither, such as
// the name of a class, may refuse all.
bool is_of_some_mail(std::string_view word) {
  for (const std::string_view start : {"check_", "reject_", "permit_", "warn_if_reject", "sleep"})
    if (word.starts_with(start)) return true;
  return word.find_first_of(":/") != std::string_view::npos ||
         word.find_first_not_of("0123456789") == std::string_view::npos;
}

// Whether a list lets mail of those pass whom `permit` names: they stand before what refuses everybody's mail
// to others. What is not known refuses.
bool passes(const std::vector<std::string>& list, std::string_view permit, bool is_last) {
  for (const std::string& word : list) {
    if (word == permit || word == "permit") return true;
    if (word == "reject_unauth_destination" || !is_of_some_mail(word)) return false;
  }
  return !is_last;
}

constexpr const char* restriction_lists[] = {"smtpd_client_restrictions",     "smtpd_helo_restrictions",
                                             "smtpd_sender_restrictions",     "smtpd_relay_restrictions",
                                             "smtpd_recipient_restrictions",  "smtpd_data_restrictions",
                                             "smtpd_end_of_data_restrictions"};

Rights rights_of(Context& context, const Overrides& options) {
  Rights rights{true, true};
  const bool has_relay_list = !context.value("smtpd_relay_restrictions", options).empty();
  for (const char* name : restriction_lists) {
    const std::vector<std::string> list = words_of(context.value(name, options));
    const std::string_view last =
        has_relay_list ? "smtpd_relay_restrictions" : "smtpd_recipient_restrictions";
    rights.networks = rights.networks && passes(list, "permit_mynetworks", name == last);
    rights.logins = rights.logins && passes(list, "permit_sasl_authenticated", name == last);
  }
  rights.logins = rights.logins && context.flag("smtpd_sasl_auth_enable", options);
  return rights;
}

// The first restriction that stands before permit_mynetworks and so holds for our own clients, too. Empty:
// none.
std::string check_of_ours(const std::vector<std::string>& list) {
  for (const std::string& word : list) {
    if (word == "permit_mynetworks" || word == "permit") break;
    if (word.starts_with("check_") || (word.starts_with("reject_") && word != "reject_unauth_destination"))
      return word;
  }
  return {};
}

// Says what becomes of a list of main.cf.
void report_list(Context& context, std::string_view name) {
  if (!context.is_set(name)) return;
  const std::string check = check_of_ours(words_of(context.value(name)));
  if (!check.empty())
    return context.left(name, fmt::format("{}, which holds for our own clients, too; see `access`", check));
  context.carried(name,
                  "who may relay: `allow` of the listeners; the checks behind it are for mail of strangers");
}

void add_listener(Context& context, const Service& service) {
  const Place where{"master.cf", service.line};
  const std::size_t colon = service.name.rfind(':');
  const std::optional<std::uint16_t> port =
      port_of(std::string_view(service.name).substr(colon == std::string::npos ? 0 : colon + 1));
  if (!port) return context.report.left(where, fmt::format("{}: its port is not known here", service.name));
  std::vector<std::string> hosts;
  if (colon == std::string::npos)
    hosts = hosts_of(context, service.overrides);
  else
    hosts.push_back(service.name.substr(0, colon) == "localhost" ? "127.0.0.1"
                                                                 : service.name.substr(0, colon));
  for (const char* name : restriction_lists)
    if (const auto own = service.overrides.find(name); own != service.overrides.end())
      if (const std::string check = check_of_ours(words_of(context.value(name, service.overrides)));
          !check.empty())
        context.report.left(where, fmt::format("{}: {}, which holds for its own clients, too; see `access`",
                                               service.name, check));
  const Rights rights = rights_of(context, service.overrides);
  if (rights.logins)
    context.report.left(
        where, fmt::format("{}: its clients' logins, whose passwords are not Postfix's; see `accounts` "
                           "and `auth` (relayd hash-password)",
                           service.name));
  if (!rights.networks)
    return context.report.left(
        where, fmt::format("{}: nobody may relay there without a login; a listener with `auth: "
                           "required`, `tls` and `accounts` does the same",
                           service.name));
  const std::string level = context.value("smtpd_tls_security_level", service.overrides);
  const bool implicit = context.flag("smtpd_tls_wrappermode", service.overrides);
  const std::string certificate = context.value("smtpd_tls_cert_file", service.overrides);
  const std::string key = context.value("smtpd_tls_key_file", service.overrides);
  bool tls = implicit || level == "may" || level == "encrypt";
  if (tls &&
      (certificate.empty() || key.empty() || !context.maps.read(certificate) || !context.maps.read(key))) {
    if (implicit || level == "encrypt")
      return context.report.left(
          where, fmt::format("{}: it demands TLS, and its certificate or key cannot be read", service.name));
    context.report.left(where, fmt::format("{}: its TLS, for its certificate or key cannot be read; see "
                                           "`tls.certificates`",
                                           service.name));
    tls = false;
  }
  if (tls && !context.draft.has(Section::certificates))
    context.draft.add(
        Section::certificates,
        fmt::format("- {{certificate: {}, key: {}}}", yaml_quoted(certificate), yaml_quoted(key)), where,
        "certificate");
  bool excludes = false;
  std::vector<std::string> clients = networks(context, service.overrides, excludes);
  if (excludes) {
    context.report.left(
        where, fmt::format("{}: mynetworks excludes clients with '!', which `allow` cannot: only this "
                           "machine may send; name the others in `allow`",
                           service.name));
    clients = {"127.0.0.0/8", "::1"};
  }
  if (clients.empty())
    return context.report.left(where,
                               fmt::format("{}: mynetworks names nobody who may send there", service.name));
  std::string allowed;
  for (const std::string& network : clients) allowed += (allowed.empty() ? "" : ", ") + yaml_quoted(network);
  for (const std::string& host : hosts) {
    std::string yaml =
        fmt::format("- address: {}\n  allow: [{}]", yaml_quoted(fmt::format("{}:{}", host, *port)), allowed);
    if (tls) yaml += fmt::format("\n  tls: {}", implicit ? "implicit" : "starttls");
    context.draft.add(Section::listen, yaml, where, service.name);
    context.report.carried(where,
                           fmt::format("{}: listens on {}:{}{}", service.name, host, *port,
                                       is_loopback(host) ? "" : ", for the networks that `allow` names"));
    if (!is_loopback(host) && *port < 1024)
      context.report.left(where, fmt::format("under systemd the port {} of {} wants a line in relayd.socket: "
                                             "`systemctl edit relayd.socket`, [Socket], ListenStream={}:{}",
                                             *port, host, host, *port));
  }
}

}  // namespace

void import_intake(Context& context) {
  static const std::set<std::string, std::less<>> inner = {
      "pickup", "cleanup", "qmgr",     "oqmgr",  "nqmgr",    "tlsmgr",  "trivial-rewrite", "bounce",
      "verify", "flush",   "proxymap", "smtp",   "lmtp",     "showq",   "error",           "discard",
      "local",  "virtual", "anvil",    "scache", "postlogd", "dnsblog", "tlsproxy"};
  static const std::set<std::string, std::less<>> known = {"mynetworks",
                                                           "smtpd_client_restrictions",
                                                           "smtpd_helo_restrictions",
                                                           "smtpd_sender_restrictions",
                                                           "inet_interfaces",
                                                           "inet_protocols",
                                                           "smtpd_relay_restrictions",
                                                           "smtpd_recipient_restrictions",
                                                           "smtpd_data_restrictions",
                                                           "smtpd_end_of_data_restrictions",
                                                           "smtpd_tls_security_level",
                                                           "smtpd_tls_wrappermode",
                                                           "smtpd_tls_cert_file",
                                                           "smtpd_tls_key_file",
                                                           "smtpd_sasl_auth_enable",
                                                           "smtp_sasl_auth_enable",
                                                           "smtp_sasl_password_maps",
                                                           "smtp_tls_security_level",
                                                           "smtp_tls_wrappermode",
                                                           "smtp_tls_CAfile",
                                                           "smtp_tls_policy_maps",
                                                           "syslog_name",
                                                           "smtp_enforce_tls",
                                                           "smtp_use_tls"};
  for (const std::size_t line : context.master.faults)
    context.report.left({"master.cf", line}, "a line that is no service");
  for (const Service& service : context.master.services) {
    const Place where{"master.cf", service.line};
    for (const auto& [name, value] : service.overrides)
      if (!known.contains(name))
        context.report.left(
            where, fmt::format("-o {} of {}: relayd has no such setting of one listener or upstream", name,
                               service.name));
    if (service.type == "inet" && service.command == "smtpd")
      add_listener(context, service);
    else if (service.type != "inet" &&
             service.command == "pipe")  // whoever sends through it is reported there
      context.report.meaningless(where, service.name + ", a program that mail is piped to");
    else if (service.type == "inet" || !inner.contains(service.command))
      context.report.left(
          where, fmt::format("{}: the service {} is not there in relayd", service.name, service.command));
  }
  if (!context.draft.has(Section::listen))
    context.report.left({"master.cf", 0},
                        "no listener could be carried over: relayd listens on its own, port 25 of loopback");
  context.carried("mynetworks", "`allow` of the listeners: these clients may send without a login");
  for (const char* name : {"inet_interfaces", "inet_protocols"})
    if (!context.is_marked(name)) context.carried(name, "the addresses of `listen`");
  context.mark("mynetworks_style");
  for (const char* name : restriction_lists) report_list(context, name);
  for (const char* name : {"smtpd_tls_security_level", "smtpd_tls_cert_file", "smtpd_tls_key_file"})
    context.carried(name, "`tls` of the listeners, and `tls.certificates`");
  if (context.flag("smtpd_sasl_auth_enable"))
    context.left("smtpd_sasl_auth_enable",
                 "logins of clients: give them `accounts`, and the listener `auth`");
}

}  // namespace relayd::importing
