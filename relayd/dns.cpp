// relayd dns: the records that a domain needs for the mail which this configuration sends from it; with
// `--check`, what DNS has instead.
#include <fmt/format.h>
#include <sysexits.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <vector>

#include "commands.hpp"
#include "records.hpp"
#include "relay/signing_keys.hpp"
#include "rewrite/dkim.hpp"
#include "route/router.hpp"
#include "shared/config/value.hpp"
#include "shared/dns/sender_records.hpp"
#include "shared/dns/spf.hpp"
#include "shared/mail/a_label.hpp"
#include "shared/mail/address.hpp"
#include "shared/net/txt_lookup.hpp"
#include "shown.hpp"

namespace relayd::command {

namespace {

using dns::Answers;
using dns::Finding;
using dns::Record;
using dns::SenderRecords;
using dns::State;

// The upstreams that mail from any address of the domain may go to, in the file's order.
std::vector<const route::Upstream*> upstreams_of(const route::Router& router, const std::string& domain) {
  std::vector<const route::Upstream*> used;
  const auto add = [&used](std::span<const route::Choice> choices) {
    for (const route::Choice& choice : choices) used.push_back(choice.upstream);
  };
  add(router.route("@" + domain).choices);
  const std::vector<config::SenderRule>& rules = router.config().senders;
  for (std::size_t i = 0; i < rules.size(); ++i)
    if (mail::a_labels(mail::split(rules[i].match).domain) == domain) add(router.choices()[i]);
  std::ranges::sort(used);
  used.erase(std::ranges::unique(used).begin(), used.end());
  std::erase_if(used,
                [](const route::Upstream* upstream) { return upstream->sandbox_directory.has_value(); });
  return used;
}

SenderRecords records_of(const route::Router& router, const rewrite::DkimKeys& keys,
                         const std::string& domain) {
  SenderRecords records{domain, {}, {}};
  for (const rewrite::DkimSigner& signer : keys.of_domain(domain))
    records.keys.push_back(public_half(signer.domain, signer.selector, *signer.key));
  for (const route::Upstream* upstream : upstreams_of(router, domain))
    records.ways.push_back(
        {upstream->name, upstream->host, std::string(upstream->preset ? upstream->preset->spf : "")});
  return records;
}

// --- what is needed ---------------------------------------------------------------------------------------

struct Line {
  Record record;
  std::string name;
  std::string text;
};

std::vector<Line> lines_of(const SenderRecords& records) {
  std::vector<Line> lines;
  for (const dns::DkimKey& key : records.keys)
    lines.push_back({Record::dkim, dns::dkim_name(key.selector, key.domain), dns::dkim_record(key)});
  if (const std::vector<std::string> includes = includes_of(records); !includes.empty())
    lines.push_back({Record::spf, records.domain, dns::spf_with("", includes)});
  lines.push_back({Record::dmarc, dns::dmarc_name(records.domain), dns::dmarc_record(records.domain)});
  return lines;
}

std::string remark(Record record) {
  if (record == Record::spf)
    return "; SPF, where bounces come back to this domain; one record for all that send from it\n";
  if (record == Record::dmarc)
    return "; DMARC, to begin with: p=quarantine or p=reject once the reports are clean\n";
  return "; DKIM\n";
}

std::string unknown_lines(const SenderRecords& records) {
  std::string text = records.keys.empty() ? fmt::format("; DKIM: {}\n", dns::no_key) : "";
  for (const std::string& remark : not_known(records)) text += fmt::format("; SPF: {}\n", remark);
  return text;
}

void print_json(const nlohmann::json& object) {
  fmt::print("{}\n", shown_json(object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
}

int show(const SenderRecords& records, bool json) {
  std::string text = unknown_lines(records);
  std::optional<Record> last;
  for (const Line& line : lines_of(records)) {
    if (json) print_json({{"record", word_for(line.record)}, {"name", line.name}, {"text", line.text}});
    if (last != line.record) text += remark(line.record);
    last = line.record;
    text += zone_line(line.name, line.text);
  }
  if (!json) fmt::print("{}", shown_lines(text));
  return EX_OK;
}

// --- what DNS has -----------------------------------------------------------------------------------------

// "127.0.0.1", "127.0.0.1:5353", "::1", "[::1]:5353".
std::optional<net::DnsServer> parse_server(const std::string& text) {
  for (const std::string& form : {text, text + ":53", "[" + text + "]:53"})
    if (const Result<config::Endpoint> endpoint = config::parse_endpoint(form);
        endpoint && !endpoint->host.empty() && endpoint->port != 0)
      return net::DnsServer{endpoint->host, endpoint->port};
  return {};
}

// A look-up may tell of names to ask for next; all of it is done within the time.
Result<Answers> ask(const SenderRecords& records, const std::optional<net::DnsServer>& server) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + std::chrono::seconds(20);
  Answers answers;
  for (;;) {
    const std::vector<std::string> names = names_to_ask(records, answers);
    if (names.empty()) return answers;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    Result<Answers> more = net::look_up_texts(names, server, left);
    if (!more) return Error{more.error()};
    answers.merge(*more);
  }
}

void print_finding(const Finding& finding, bool json) {
  if (json)
    return print_json({{"state", word_for(finding.state)},
                       {"record", word_for(finding.record)},
                       {"name", finding.name},
                       {"text", finding.text},
                       {"needed", finding.needed}});
  fmt::print("{:<8} {:<6} {}: {}\n", word_for(finding.state), word_for(finding.record), shown(finding.name),
             shown(finding.text));
  if (finding.needed.empty()) return;
  const std::string needed = zone_line(finding.name, finding.needed);
  fmt::print("         publish {}", shown_lines(needed));
}

int compare(const SenderRecords& records, const Options& options) {
  std::optional<net::DnsServer> server;
  if (options.server) {
    server = parse_server(*options.server);
    if (!server) {
      fmt::print(stderr, "relayd: '{}' is no address of a DNS server, such as 192.0.2.53 or [::1]:53\n",
                 shown(*options.server));
      return EX_USAGE;
    }
  }
  const Result<Answers> answers = ask(records, server);
  if (!answers) {
    fmt::print(stderr, "relayd: {}\n", shown(answers.error()));
    return EX_UNAVAILABLE;
  }
  State worst = State::ok;
  for (const Finding& finding : check_records(records, *answers)) {
    print_finding(finding, options.json);
    worst = std::max(worst, finding.state);
  }
  if (worst == State::wrong) return 1;
  return worst == State::unknown ? EX_UNAVAILABLE : EX_OK;
}

}  // namespace

int dns(const Options& options) {
  const std::shared_ptr<const config::Config> config = usable_config(options);
  if (!config) return EX_CONFIG;
  const route::Router::Built built = route::Router::build(config);
  print(built.errors);
  const SigningKeysResult signing = read_signing_keys(*config);
  print(signing.errors);
  if (!built.router || !signing.errors.empty()) return EX_CONFIG;
  const std::string domain = mail::a_labels(options.domain);
  if (!config::parse_signing_domain(domain)) {
    fmt::print(stderr, "relayd: '{}' is not a domain\n", shown(options.domain));
    return EX_USAGE;
  }
  const SenderRecords records = records_of(*built.router, signing.keys, domain);
  return options.compare ? compare(records, options) : show(records, options.json);
}

}  // namespace relayd::command
