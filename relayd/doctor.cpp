// relayd doctor: goes the way to each upstream and account, and says what is wrong there and what to change.
#include "relay/doctor.hpp"

#include <fmt/format.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "commands.hpp"
#include "examine.hpp"
#include "records.hpp"
#include "relay/signing_keys.hpp"
#include "relay/tables.hpp"
#include "sender_dns.hpp"
#include "shared/mail/a_label.hpp"
#include "shared/mail/address.hpp"
#include "shared/net/dns_client.hpp"
#include "shown.hpp"
#include "start.hpp"

namespace relayd::command {

namespace {

using watch::Finding;
using watch::Health;

// On a terminal, unless it shall not (no-color.org).
bool in_colour() {
  const char* const unwanted = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  const bool dumb = terminal && std::string_view(terminal) == "dumb";
  return ::isatty(STDOUT_FILENO) == 1 && !(unwanted && *unwanted) && !dumb;
}

std::string_view colour_of(Health health) {
  switch (health) {
    case Health::ok:
      return "\x1b[32m";
    case Health::note:
      return "\x1b[36m";
    case Health::warning:
      return "\x1b[33m";
    case Health::failed:
      break;
  }
  return "\x1b[1;31m";
}

void print(const std::vector<Finding>& findings, bool json) {
  const bool colour = !json && in_colour();
  for (const Finding& finding : findings) {
    const std::string state = fmt::format("{:<7}", word_for(finding.health));
    if (json)
      fmt::print("{}\n", shown_json(to_line(finding)));
    else if (colour)
      fmt::print("{}{}\x1b[0m  {}\n", colour_of(finding.health), state, shown(to_text(finding)));
    else
      fmt::print("{}  {}\n", state, shown(to_text(finding)));
  }
}

// --- what DNS says of the senders -------------------------------------------------------------------------

// Of the rules of senders, or of the one sender; each once.
std::vector<std::string> domains_of(const config::Config& config, const std::string& sender) {
  std::vector<std::string> domains;
  const auto add = [&domains](std::string_view pattern) {
    std::string domain = mail::a_labels(mail::split(pattern).domain);
    const bool known = std::ranges::find(domains, domain) != domains.end();
    if (!domain.empty() && domain.find('*') == std::string::npos && !known)
      domains.push_back(std::move(domain));
  };
  if (!sender.empty())
    add(sender);
  else
    for (const config::SenderRule& rule : config.senders) add(rule.match);
  return domains;
}

Health health_of(dns::State state) {
  switch (state) {
    case dns::State::ok:
      return Health::ok;
    case dns::State::note:
      return Health::note;
    case dns::State::unknown:
      return Health::warning;
    case dns::State::wrong:
      break;
  }
  return Health::failed;
}

std::vector<Finding> look_at_dns(const route::Router& router, const rewrite::DkimKeys& keys,
                                 const std::string& domain, const std::vector<std::string>& servers) {
  std::vector<Finding> findings;
  const auto add = [&](Health health, std::string at, std::string text) -> Finding& {
    Finding finding{health, watch::Step::dns};
    finding.at = std::move(at);
    finding.text = std::move(text);
    return findings.emplace_back(std::move(finding));
  };
  const dns::SenderRecords records = records_of(router, keys, domain);
  if (records.ways.empty()) return findings;
  const dns::Answers answers = ask(records, servers);
  for (const dns::Finding& found : check_records(records, answers)) {
    Finding& finding =
        add(health_of(found.state), found.name, fmt::format("{}: {}", word_for(found.record), found.text));
    if (found.needed.empty()) continue;
    finding.advice = "Publish " + zone_line(found.name, found.needed);
    while (finding.advice.ends_with('\n')) finding.advice.pop_back();
  }
  return findings;
}

// Why nobody can be examined; empty: there is somebody.
std::string refusal(const route::Router& router, const DoctorOrder& order) {
  for (const std::string& name : order.upstreams)
    if (!router.upstream(name)) return fmt::format("there is no upstream '{}'", name);
  if (order.sender.empty()) return {};
  const route::Route route = router.plain_route(order.sender);
  if (!route.choices.empty()) return {};
  std::string why = route.rule ? "its rule refuses it" : "no rule of `senders` matches it";
  if (route.by_table) why = router.trouble_of(order.sender);
  return fmt::format("mail of {} goes nowhere: {}", order.sender, why);
}

}  // namespace

int doctor(const Options& options) {
  const std::shared_ptr<const config::Config> config = usable_config(options);
  if (!config) return EX_CONFIG;
  const TablesResult tables = make_tables(*config);
  print(tables.errors);
  const route::Router::Built built = route::Router::build(config, tables.tables);
  print(built.errors);
  if (!built.router || !tables.errors.empty()) return EX_CONFIG;
  const DoctorOrder order{.upstreams = options.upstreams, .sender = options.sender, .limit = options.timeout};
  if (const std::string why = refusal(*built.router, order); !why.empty()) {
    fmt::print(stderr, "relayd: {}\n", shown(why));
    return EX_USAGE;
  }
  std::vector<std::string> servers = net::dns_servers();
  if (options.server) {
    const std::optional<std::string> server = parse_server(*options.server);
    if (!server) {
      fmt::print(stderr, "relayd: '{}' is no address of a DNS server, such as 192.0.2.53 or [::1]:53\n",
                 shown(*options.server));
      return EX_USAGE;
    }
    servers = {*server};
  }
  process::User user;
  if (!become_daemon_user(*config, user)) return EX_NOPERM;
  SigningKeysResult signing;
  if (options.dns) {
    signing = read_signing_keys(*config);
    print(signing.errors);
    if (!signing.errors.empty()) return EX_CONFIG;
  }
  std::vector<Finding> findings = examine(built.router, order);
  if (order.upstreams.empty() && order.sender.empty()) {
    const std::vector<Finding> more = endings(*config, wall_now());
    findings.insert(findings.end(), more.begin(), more.end());
  }
  if (options.dns)
    for (const std::string& domain : domains_of(*config, order.sender)) {
      const std::vector<Finding> more = look_at_dns(*built.router, signing.keys, domain, servers);
      findings.insert(findings.end(), more.begin(), more.end());
    }
  print(findings, options.json);
  return worst(findings) == Health::failed ? EX_UNAVAILABLE : EX_OK;
}

}  // namespace relayd::command
