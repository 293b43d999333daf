#include "shared/dns/dmarc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "shared/base/ascii.hpp"
#include "shared/dns/tag_list.hpp"

namespace relayd::dns {

namespace {

constexpr std::size_t most_labels = 8;  // RFC 9989 4.10: of longer names the last seven are asked for

bool is_policy(std::string_view value) {
  constexpr std::array<std::string_view, 3> policies = {"none", "quarantine", "reject"};
  return std::ranges::any_of(
      policies, [value](std::string_view policy) { return ascii::equal_ignoring_case(policy, value); });
}

bool is_at_or_below(std::string_view domain, std::string_view parent) {
  if (!domain.ends_with(parent)) return false;
  const std::size_t rest = domain.size() - parent.size();
  return rest == 0 || domain[rest - 1] == '.';
}

// The domain and its parents.
std::vector<std::string_view> places(std::string_view domain) {
  std::vector<std::string_view> found = {domain};
  const auto labels = [](std::string_view name) {
    return static_cast<std::size_t>(std::ranges::count(name, '.')) + 1;
  };
  for (std::size_t dot = domain.find('.'); dot != std::string_view::npos; dot = domain.find('.')) {
    domain.remove_prefix(dot + 1);
    if (labels(domain) < most_labels) found.push_back(domain);
  }
  return found;
}

// The one record of an answer; an error says what is there instead, and is empty for nothing.
Result<DmarcRecord> record_of(const Answer& answer) {
  std::vector<std::string_view> records;
  for (const std::string& text : answer.texts)
    if (is_dmarc(text)) records.push_back(text);
  if (records.size() == 1) return parse_dmarc(records.front());
  if (records.size() > 1)
    return Error{fmt::format("there are {} records, so none counts: leave one", records.size())};
  for (const std::string& text : answer.texts)
    if (ascii::equal_ignoring_case(text.substr(0, 7), "v=DMARC"))
      return Error{fmt::format("'{}' does not begin with 'v=DMARC1;', so it does not count", text)};
  return Error{};
}

const Answer& answer_at(std::string_view domain, const Answers& answers) {
  static const Answer unasked{Answer::Kind::failed, {}, "it was not asked for"};
  const auto found = answers.find(dmarc_name(domain));
  return found == answers.end() ? unasked : found->second;
}

std::string policy_text(const DmarcPolicy& policy, std::string_view domain) {
  const bool own = policy.domain == domain;
  const DmarcRecord& record = *policy.record;
  const bool subdomain = !own && !record.subdomain_policy.empty();
  const std::string what = subdomain ? "sp=" + record.subdomain_policy : "p=" + record.policy;
  std::string text =
      own ? what : fmt::format("{} has none of its own, that of {} counts: {}", domain, policy.domain, what);
  return what.ends_with("=none") ? text + ", which asks receivers to refuse nothing" : text;
}

}  // namespace

bool is_dmarc(std::string_view text) {
  const std::string_view tag = text.substr(0, text.find(';'));
  const std::size_t equals = std::min(tag.find('='), tag.size());
  return equals < tag.size() && ascii::trimmed(tag.substr(0, equals), ascii::blanks) == "v" &&
         ascii::trimmed(tag.substr(equals + 1), ascii::blanks) == "DMARC1";
}

Result<DmarcRecord> parse_dmarc(std::string_view text) {
  const Result<Tags> tags = parse_tags(text);
  if (!tags) return Error{"the record is broken: " + tags.error()};
  DmarcRecord record;
  const auto policy = find(*tags, "p");
  if (!policy) return Error{"the tag 'p=' is missing, without which many receivers leave the record alone"};
  for (const std::string_view name : {"p", "sp"})
    if (const auto value = find(*tags, name); value && !is_policy(*value))
      return Error{fmt::format("'{}={}' must be none, quarantine or reject", name, *value)};
  for (const std::string_view name : {"adkim", "aspf"})
    if (const auto value = find(*tags, name); value && *value != "r" && *value != "s")
      return Error{fmt::format("'{}={}' must be r or s", name, *value)};
  record.policy = ascii::lower(*policy);
  record.subdomain_policy = ascii::lower(find(*tags, "sp").value_or(""));
  record.strict_dkim = find(*tags, "adkim") == "s";
  record.strict_spf = find(*tags, "aspf") == "s";
  const std::string_view suffix = find(*tags, "psd").value_or("u");
  if (suffix == "y" || suffix == "n") record.public_suffix = suffix == "y";
  return record;
}

std::vector<std::string> dmarc_names(std::string_view domain) {
  std::vector<std::string> names;
  for (const std::string_view place : places(domain)) names.push_back(dmarc_name(place));
  return names;
}

DmarcPolicy dmarc_policy(std::string_view domain, const Answers& answers) {
  DmarcPolicy policy;
  std::string_view below = domain;
  std::optional<DmarcRecord> organisations;
  for (const std::string_view place : places(domain)) {
    const Answer& answer = answer_at(place, answers);
    policy.known &= answer.kind != Answer::Kind::failed;
    if (const Result<DmarcRecord> record = record_of(answer)) {
      const bool suffix = record->public_suffix.value_or(false) && place != domain;
      policy.organisational = suffix ? below : place;
      if (!policy.record && place == domain) policy.record = *record, policy.domain = place;
      organisations = *record;
      if (suffix && !policy.record) policy.record = *record, policy.domain = place;
      if (record->public_suffix) break;
    }
    below = place;
  }
  if (!policy.record && organisations) policy.record = organisations, policy.domain = policy.organisational;
  return policy;
}

std::string dmarc_record(std::string_view domain) {
  return fmt::format("v=DMARC1; p=none; rua=mailto:postmaster@{}", domain);
}

std::vector<Finding> check_dmarc(const std::string& domain, const Answers& answers) {
  const auto finding = [&domain](State state, std::string text, std::string needed = {}) {
    return Finding{state, Record::dmarc, dmarc_name(domain), std::move(text), std::move(needed)};
  };
  const Answer& own = answer_at(domain, answers);
  if (own.kind == Answer::Kind::failed) return {finding(State::unknown, own.problem)};
  if (const Result<DmarcRecord> record = record_of(own); !record && !record.error().empty())
    return {finding(State::wrong, record.error())};
  const DmarcPolicy policy = dmarc_policy(domain, answers);
  if (policy.record) return {finding(State::ok, policy_text(policy, domain))};
  if (!policy.known)
    return {finding(State::unknown, "there is none, and DNS did not tell those of its parents")};
  return {finding(State::wrong, "there is no record; large receivers ask for one", dmarc_record(domain))};
}

bool aligned(std::string_view author, std::string_view domain, std::string_view organisational, bool strict) {
  if (author == domain) return true;
  if (strict) return false;
  if (organisational.empty()) return is_at_or_below(author, domain) || is_at_or_below(domain, author);
  return is_at_or_below(author, organisational) && is_at_or_below(domain, organisational);
}

Passes passes_dmarc(std::string_view author, std::span<const Identity> identities,
                    const DmarcPolicy& policy) {
  if (!policy.known && !policy.record) return Passes::unknown;
  Passes best = Passes::no;
  for (const Identity& identity : identities) {
    const bool strict =
        policy.record && (identity.dkim ? policy.record->strict_dkim : policy.record->strict_spf);
    if (aligned(author, identity.domain, policy.organisational, strict))
      best = std::max(best, identity.passes);
  }
  return best;
}

}  // namespace relayd::dns
