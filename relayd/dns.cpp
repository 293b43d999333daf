// relayd dns: the records that a domain needs for the mail which this configuration sends from it; with
// `--check`, what DNS has instead.
#include <fmt/format.h>
#include <sysexits.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "commands.hpp"
#include "records.hpp"
#include "relay/signing_keys.hpp"
#include "relay/tables.hpp"
#include "sender_dns.hpp"
#include "shared/config/value.hpp"
#include "shared/dns/spf.hpp"
#include "shared/mail/a_label.hpp"
#include "shared/net/dns_client.hpp"
#include "shown.hpp"

namespace relayd::command {

namespace {

using dns::Answers;
using dns::Finding;
using dns::Record;
using dns::SenderRecords;
using dns::State;

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
  State worst = State::ok;
  for (const Finding& finding : check_records(records, ask(records, servers))) {
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
  const TablesResult tables = make_tables(*config);
  print(tables.errors);
  const route::Router::Built built = route::Router::build(config, tables.tables);
  print(built.errors);
  const SigningKeysResult signing = read_signing_keys(*config);
  print(signing.errors);
  if (!built.router || !signing.errors.empty() || !tables.errors.empty()) return EX_CONFIG;
  const std::string domain = mail::a_labels(options.domain);
  if (!config::parse_signing_domain(domain)) {
    fmt::print(stderr, "relayd: '{}' is not a domain\n", shown(options.domain));
    return EX_USAGE;
  }
  const SenderRecords records = records_of(*built.router, signing.keys, domain);
  return options.compare ? compare(records, options) : show(records, options.json);
}

}  // namespace relayd::command
