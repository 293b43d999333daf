#include "explain_message.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>

#include "rewrite/addresses.hpp"
#include "route/explain.hpp"
#include "shared/base/ascii.hpp"
#include "shared/dns/answer.hpp"
#include "shared/mail/field.hpp"
#include "shared/mail/header.hpp"
#include "shown.hpp"

namespace relayd::command {

namespace {

using route::line;

constexpr std::size_t longest_header = 64 << 20;

rewrite::DkimKeys keys_of(const config::Config& config) {
  std::vector<rewrite::DkimSigner> signers;
  for (const config::DkimKey& key : config.dkim) signers.push_back({key.domain, key.selector, nullptr, {}});
  return rewrite::DkimKeys(std::move(signers));
}

std::shared_ptr<const rewrite::Staging> staging_of(const config::Config& config) {
  return std::make_shared<const rewrite::Staging>(config.staging ? rewrite::Staging(*config.staging)
                                                                 : rewrite::Staging());
}

// The fields of a block, how often each is there.
std::map<std::string_view, int> fields_of(std::string_view header) {
  std::map<std::string_view, int> fields;
  mail::for_each_field(header, [&fields](const mail::Field& field) { ++fields[field.whole]; });
  return fields;
}

// The fields that only one of the two has, in the order in which they stand.
void list_others(std::string& text, std::string_view mark, std::string_view header, std::string_view other) {
  std::map<std::string_view, int> known = fields_of(other);
  mail::for_each_field(header, [&](const mail::Field& field) {
    if (--known[field.whole] >= 0) return;
    const std::string_view lines = field.whole.substr(0, field.whole.find_last_not_of("\r\n") + 1);
    line(text, "header", fmt::format("{} {}", mark, lines));
  });
}

void tell_notes(std::string& text, const rewrite::Notes& notes, const std::string& file) {
  for (const rewrite::Note& note : notes)
    line(text, "stays",
         fmt::format("{} ({}:{}: {})", note.address, file, note.rule.line, rewrite::text_of(note.why)));
}

}  // namespace

Explained::Explained(std::shared_ptr<const route::Router> router, std::shared_ptr<const table::Tables> tables,
                     std::string sender, std::string& text)
    : router_(std::move(router)),
      taken_(router_->config().changes.rewrite, rewrite::When::taken),
      ways_out_(router_, staging_of(router_->config()), std::move(tables), keys_of(router_->config())) {
  envelope_.smtp_utf8 = !ascii::all_ascii(sender);
  envelope_.sender = taken(rewrite::AddressClass::sender, sender, text);
}

std::string Explained::taken(rewrite::AddressClass where, const std::string& address,
                             std::string& text) const {
  const rewrite::Rewriting rewriting({&taken_}, ways_out_.lookup(), envelope_.smtp_utf8);
  rewrite::Notes notes;
  const auto mapped = rewriting.map(where, address, notes);
  const std::string& file = router_->config().file;
  tell_notes(text, notes, file);
  if (!mapped) return address;
  line(text, "taken as", fmt::format("{} ({}:{})", mapped->address, file, mapped->rule->where.line));
  return mapped->address;
}

bool Explained::read(const std::string& file, std::string& text) {
  std::ifstream in(file, std::ios::binary);
  std::string header;
  for (std::string row; std::getline(in, row) && header.size() < longest_header;) {
    if (row.ends_with('\r')) row.pop_back();
    header += row + "\r\n";
    if (row.empty()) break;
  }
  if (in.bad() || header.empty()) {
    fmt::print(stderr, "{}: {}\n", shown(file),
               in.is_open() ? "there is no message in it" : std::strerror(errno));
    return false;
  }
  const std::string completed =
      rewrite::with_domains(header, "@" + router_->config().origin).value_or(header);
  const rewrite::Rewriting rewriting({&taken_}, ways_out_.lookup(), envelope_.smtp_utf8);
  rewrite::Notes notes;
  header_ = rewriting.header(completed, notes).value_or(completed);
  if (header_ != header) text += "message    as it is taken\n";
  list_others(text, "-", header, header_);
  list_others(text, "+", header_, header);
  tell_notes(text, notes, router_->config().file);
  return true;
}

std::string Explained::routing_sender() const {
  if (!envelope_.sender.empty() || header_.empty()) return envelope_.sender;
  mail::HeaderScanner scanner;
  scanner.feed(header_);
  scanner.end();
  return scanner.facts().from.empty() ? std::string() : scanner.facts().from.front();
}

std::vector<std::string> addresses_of(const std::vector<mail::Recipient>& recipients) {
  std::vector<std::string> addresses;
  for (const mail::Recipient& recipient : recipients) addresses.push_back(recipient.address);
  return addresses;
}

route::Mail Explained::mail() {
  envelope_.routing_sender = routing_sender();
  header_values_ = router_->header_values(header_);
  client_ = {envelope_.account, envelope_.client, envelope_.listener};
  return {.sender = envelope_.routing_sender, .client = &client_, .header = &header_values_};
}

std::vector<Explained::Part> Explained::parts() {
  std::vector<Part> parts;
  route::Mail each = mail();
  const auto part_of = [&](std::string_view recipient) -> mail::Envelope& {
    each.recipient = recipient;
    const route::Route route = router_->route(each);
    for (Part& part : parts)
      if (part.route.way == route.way) return part.envelope;
    parts.push_back({route, envelope_});
    parts.back().envelope.recipients.clear();
    return parts.back().envelope;
  };
  for (const mail::Recipient& recipient : envelope_.recipients)
    part_of(recipient.address).recipients.push_back(recipient);
  if (parts.empty()) part_of({});
  return parts;
}

std::vector<route::Choice> Explained::choices() {
  std::vector<route::Choice> choices;
  for (const Part& part : parts())
    choices.insert(choices.end(), part.route.choices.begin(), part.route.choices.end());
  return choices;
}

bool Explained::has_ways() {
  return std::ranges::none_of(parts(), [](const Part& part) { return part.route.choices.empty(); });
}

std::string Explained::departures() {
  std::string text;
  for (const Part& part : parts())
    for (const route::Choice& choice : part.route.choices) text += departure(choice, part);
  return text;
}

std::string Explained::departure(const route::Choice& choice, const Part& part) const {
  const mail::Envelope& taken = part.envelope;
  const rewrite::Way way = ways_out_.of(part.route.rule, *choice.upstream, {});
  const rewrite::Outgoing out = rewrite::outgoing(way, taken, header_);
  const mail::Envelope& sent = out.envelope ? *out.envelope : taken;
  std::string text;
  if (sent.sender != taken.sender) line(text, "sender", sent.sender);
  for (std::size_t i = 0; i < sent.recipients.size(); ++i)
    if (sent.recipients[i].address != taken.recipients[i].address)
      line(text, "recipient",
           fmt::format("{} for {}", sent.recipients[i].address, taken.recipients[i].address));
  const std::string& header = out.header ? *out.header : header_;
  list_others(text, "-", header_, header);
  list_others(text, "+", header, header_);
  tell_notes(text, out.notes, router_->config().file);
  if (!out.broken_signature.empty())
    line(text, "breaks", fmt::format("a signature of the message, over {}", out.broken_signature));
  for (const rewrite::DkimSigner& signer : ways_out_.keys().of_header(header))
    line(text, "signed", dns::dkim_name(signer.selector, signer.domain));
  return text.empty() ? text : fmt::format("leaves by  {}\n{}", choice.upstream->name, text);
}

}  // namespace relayd::command
