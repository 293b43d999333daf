// relayd presets: what is known of each provider, as a table or as the page docs/providers.md.
#include <fmt/format.h>
#include <sysexits.h>

#include <algorithm>
#include <string>
#include <vector>

#include "commands.hpp"
#include "fake/behaviours.hpp"
#include "settle/verdict.hpp"

namespace relayd::command {

namespace {

using providers::ReplyRow;
using route::Provider;
using Texts = std::vector<std::string>;

constexpr std::string_view page_head =
    R"(# Providers

What relayd knows of each provider of mail. `relayd presets --markdown` makes this page from
[lib/providers](../lib/providers), where each guess is marked as one.

`provider: NAME` in the configuration uses all of it; keys that you write yourself win over it. Ports are tried in their
order. `relayd sandbox NAME --behaviour ERROR` runs a fake of the provider on your own machine, with one of the errors in
its second table; `--behaviour list` also shows the errors of any provider. The class is what relayd makes of a reply;
[Configuration](configuration.md#failover) explains each class.
)";

std::string joined(const Texts& texts, std::string_view between = ", ") {
  return fmt::format("{}", fmt::join(texts, between));
}

Texts quoted(const std::vector<std::string_view>& words) {
  Texts texts;
  for (const std::string_view word : words) texts.push_back(fmt::format("`{}`", word));
  return texts;
}

std::string hosts(const Provider& provider) {
  Texts texts;
  for (const auto& [name, host] : provider.regions) {
    std::string shown(host);
    if (name == "*") shown.replace(shown.find('*'), 1, "REGION");
    if (host.empty())
      texts.emplace_back("of each account: `host` says it");
    else if (name.empty() || name == "*")
      texts.push_back(fmt::format("`{}`", shown));
    else
      texts.push_back(fmt::format("`{}` (`region: {}`)", shown, name));
  }
  return joined(texts);
}

std::string ports(const Provider& provider) {
  Texts texts;
  for (const auto& [port, tls] : provider.endpoints)
    texts.push_back(fmt::format("{} {}", port, tls == smtp::TlsMode::implicit ? "TLS" : "STARTTLS"));
  return joined(texts);
}

std::string mechanisms(const Provider& provider) {
  Texts texts;
  for (const sasl::Mechanism one : provider.mechanisms) texts.push_back(sasl::wire_name(one));
  return texts.empty() && provider.is_preset() ? "none" : joined(texts);
}

std::string octets(Bytes size) {
  const std::uint64_t mebibytes = size.count >> 20;
  return Bytes{mebibytes << 20} == size ? fmt::format("{} MiB", mebibytes)
                                        : fmt::format("{} octets", size.count);
}

template <class Limit>
void add_limits(Texts& texts, const std::optional<std::vector<Limit>>& limits, std::string_view of_whom) {
  for (const Limit& one : limits.value_or(std::vector<Limit>{}))
    texts.push_back(fmt::format("{}{}", config::to_string(one), of_whom));
}

std::string limits(const Provider& provider) {
  const config::UpstreamLimits& limits = provider.limits;
  Texts texts;
  const auto add = [&texts](const std::optional<std::uint32_t>& count, std::string_view what) {
    if (count) texts.push_back(fmt::format("{} {}", *count, what));
  };
  add(limits.connections, "connections");
  add(limits.connections_total, "connections of all accounts");
  add(limits.messages_per_connection, "messages a connection");
  add(limits.recipients_per_connection, "recipients a connection");
  add(limits.recipients_per_message, "recipients a message");
  if (limits.message_size) texts.push_back(octets(*limits.message_size));
  add_limits(texts, limits.rate, "");
  add_limits(texts, limits.quota, "");
  add_limits(texts, limits.quota_total, " of all accounts");
  return joined(texts);
}

std::string header_fields(const Provider& provider) {
  Texts texts;
  for (const mail::ControlField& field : provider.control.fields)
    texts.push_back(fmt::format("`{}`", field.name));
  if (!provider.control.tag.name.empty())
    texts.push_back(fmt::format("`X-Relayd-Tag` becomes `{}`", provider.control.tag.name));
  if (!provider.control.stream.name.empty())
    texts.push_back(fmt::format("`X-Relayd-Stream` becomes `{}`", provider.control.stream.name));
  return joined(texts);
}

std::string dns(const Provider& provider) {
  Texts texts;
  if (!provider.spf.empty()) texts.push_back(fmt::format("SPF `include:{}`", provider.spf));
  if (!provider.selectors.empty()) texts.push_back("DKIM selectors " + joined(quoted(provider.selectors)));
  return joined(texts);
}

smtp::Reply read_reply(std::string_view line) {
  smtp::ReplyParser parser;
  parser.feed(fmt::format("{}\r\n", line));
  return parser.take();
}

std::string class_of(const Provider& provider, const fake::Behaviour& one) {
  return std::string(to_string(settle::judge(one.stage, read_reply(one.reply), provider.name).reply_class));
}

// "at data, final_dot"
std::string stages(const ReplyRow& row) {
  Texts texts;
  for (int stage = 0; stage <= static_cast<int>(smtp::Stage::final_dot); ++stage)
    if (row.stages.has(static_cast<smtp::Stage>(stage)))
      texts.emplace_back(to_string(static_cast<smtp::Stage>(stage)));
  return texts.size() > 8 ? "any" : joined(texts);
}

std::string number(std::uint16_t value) {
  return value == providers::rows::open ? "x" : std::to_string(value);
}

std::string code(const ReplyRow& row) {
  std::string text = row.codes.first == row.codes.last ? std::to_string(row.codes.first)
                                                       : fmt::format("{}xx", row.codes.first / 100);
  if (row.enhanced == providers::rows::no_matter) return text;
  const std::string status = row.enhanced.status_class == 0 ? "x" : number(row.enhanced.status_class);
  return fmt::format("{} {}.{}.{}", text, status, number(row.enhanced.subject), number(row.enhanced.detail));
}

std::string without_bars(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
  return text;
}

void print_fact(std::string_view name, const std::string& value) {
  if (!value.empty()) fmt::print("| {} | {} |\n", name, without_bars(value));
}

void print_provider(const Provider& provider) {
  fmt::print("\n## {}\n\n| | |\n|---|---|\n", provider.name);
  print_fact("host", hosts(provider));
  print_fact("ports", ports(provider));
  print_fact("AUTH", mechanisms(provider));
  print_fact("username and password", std::string(provider.account.hint));
  print_fact("limits", limits(provider));
  print_fact("reports (`<>`)", provider.null_sender ? "" : "not taken: give `bounce.from`");
  print_fact("its id", provider.id ? fmt::format("in the reply, such as `{}`",
                                                 fmt::format(fmt::runtime(provider.taken), "ID"))
                                   : "");
  print_fact("acts on header fields", header_fields(provider));
  print_fact("DNS", dns(provider));
  print_fact("source", fmt::format("{}; {}", provider.source, provider.day));
  if (!provider.notes.empty()) fmt::print("\n");
  for (const std::string_view note : provider.notes) fmt::print("- {}\n", note);
  if (!provider.replies.empty()) fmt::print("\n| reply | with the words | at | class |\n|---|---|---|---|\n");
  for (const ReplyRow& row : provider.replies)
    fmt::print("| {} | {} | {} | `{}` |\n", code(row), without_bars(std::string(row.text)), stages(row),
               to_string(row.reply_class));
  if (!provider.behaviours.empty()) fmt::print("\n| error | at | reply | class |\n|---|---|---|---|\n");
  for (const fake::Behaviour& one : provider.behaviours)
    fmt::print("| `{}` | {} | {} | `{}` |\n", one.name, to_string(one.stage),
               without_bars(std::string(one.reply)), class_of(provider, one));
}

std::vector<const Provider*> by_name() {
  std::vector<const Provider*> sorted;
  for (const Provider& provider : providers::all()) sorted.push_back(&provider);
  std::ranges::sort(sorted, {}, &Provider::name);
  return sorted;
}

void print_table() {
  fmt::print("{:<18} {:<62} {}\n", "provider", "ports", "username and password");
  for (const Provider* const provider : by_name())
    if (provider->is_preset())
      fmt::print("{:<18} {:<62} {}\n", provider->name, ports(*provider), provider->account.hint);
}

}  // namespace

int presets(const Options& options) {
  if (!options.markdown) {
    print_table();
    return EX_OK;
  }
  fmt::print("{}", page_head);
  for (const Provider* const provider : by_name()) print_provider(*provider);
  return EX_OK;
}

}  // namespace relayd::command
