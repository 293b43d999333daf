#include "shared/dns/sender_records.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shared/dns/spf.hpp"

namespace relayd::dns {

namespace {

const Answer& answer_for(const DkimKey& key, const Answers& answers) {
  static const Answer unasked{Answer::Kind::failed, {}, "it was not asked for"};
  const auto found = answers.find(dkim_name(key.selector, key.domain));
  return found == answers.end() ? unasked : found->second;
}

Passes passes(const std::vector<Finding>& findings) {
  const auto any = [&findings](State state) {
    return std::ranges::any_of(findings, [state](const Finding& finding) { return finding.state == state; });
  };
  if (any(State::wrong)) return Passes::no;
  return any(State::unknown) ? Passes::unknown : Passes::yes;
}

Passes passes_spf(const WayOut& way, const SpfWalk& walk) {
  if (!walk.unknown.empty() || way.include.empty()) return Passes::unknown;
  return walk.faults.empty() && walk.passing.contains(way.include) ? Passes::yes : Passes::no;
}

// Not `wrong`: what would cure it is, and says so.
Finding passage(const WayOut& way, const SenderRecords& needed, const Answers& answers) {
  const Passes passed = passes_on(way, needed, answers);
  std::string text;
  if (passed == Passes::yes)
    text = "passes DMARC";
  else if (passed == Passes::unknown)
    text = "passes DMARC only if its operator signs as this domain, or is allowed by the SPF record";
  else
    text = "fails DMARC, unless its operator signs as this domain";
  const State state = passed == Passes::yes ? State::ok : State::note;
  return {state, Record::dmarc, dmarc_name(needed.domain),
          fmt::format("mail through '{}' {}", way.name, text)};
}

}  // namespace

std::vector<std::string> includes_of(const SenderRecords& needed) {
  std::vector<std::string> includes;
  for (const WayOut& way : needed.ways)
    if (!way.include.empty() && std::ranges::find(includes, way.include) == includes.end())
      includes.push_back(way.include);
  return includes;
}

std::vector<std::string> not_known(const SenderRecords& needed) {
  std::vector<std::string> remarks;
  for (const WayOut& way : needed.ways)
    if (way.include.empty())
      remarks.push_back(
          fmt::format("what '{}' ({}) needs is not known here: its operator says", way.name, way.host));
  if (needed.ways.empty()) remarks.push_back("no sender rule sends from it");
  return remarks;
}

std::vector<std::string> names_to_ask(const SenderRecords& needed, const Answers& answers) {
  std::vector<std::string> names = walk_spf(needed.domain, answers).open;
  for (const DkimKey& key : needed.keys) names.push_back(dkim_name(key.selector, key.domain));
  std::ranges::copy(dmarc_names(needed.domain), std::back_inserter(names));
  std::erase_if(names, [&answers](const std::string& name) { return answers.contains(name); });
  return names;
}

std::vector<Finding> check_records(const SenderRecords& needed, const Answers& answers) {
  std::vector<Finding> findings =
      check_spf(needed.domain, includes_of(needed), walk_spf(needed.domain, answers));
  for (const std::string& remark : not_known(needed))
    findings.push_back({State::note, Record::spf, needed.domain, remark});
  const auto add = [&findings](std::vector<Finding> more) {
    std::ranges::move(more, std::back_inserter(findings));
  };
  if (needed.keys.empty())
    findings.push_back({State::note, Record::dkim, needed.domain, std::string(no_key)});
  for (const DkimKey& key : needed.keys) add(check_dkim(key, answer_for(key, answers)));
  add(check_dmarc(needed.domain, answers));
  for (const WayOut& way : needed.ways) findings.push_back(passage(way, needed, answers));
  return findings;
}

Passes passes_on(const WayOut& way, const SenderRecords& needed, const Answers& answers) {
  std::vector<Identity> identities = {
      {false, needed.domain, passes_spf(way, walk_spf(needed.domain, answers))}};
  for (const DkimKey& key : needed.keys)
    identities.push_back({true, key.domain, passes(check_dkim(key, answer_for(key, answers)))});
  return passes_dmarc(needed.domain, identities, dmarc_policy(needed.domain, answers));
}

}  // namespace relayd::dns
