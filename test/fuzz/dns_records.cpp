#include <algorithm>
#include <string>
#include <vector>

#include "fuzz/targets.hpp"
#include "shared/dns/sender_records.hpp"
#include "shared/dns/spf.hpp"
#include "shared/dns/tag_list.hpp"

namespace relayd::fuzz {

namespace {

const dns::SenderRecords needed{"a.example.com",
                                {{"example.com", "s1", "rsa", "AAAA"}},
                                {{"one", "one.example", "x.example"}, {"two", "two.example", ""}}};

// Lines "NAME TEXT"; a name alone has no answer.
dns::Answers read_answers(std::string_view input) {
  dns::Answers answers;
  while (!input.empty()) {
    const std::size_t end = std::min(input.find('\n'), input.size());
    const std::string_view line = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
    const std::size_t blank = std::min(line.find(' '), line.size());
    dns::Answer& answer = answers[std::string(line.substr(0, blank))];
    answer.kind = blank == line.size() ? dns::Answer::Kind::failed : dns::Answer::Kind::texts;
    if (blank < line.size()) answer.texts.emplace_back(line.substr(blank + 1));
  }
  return answers;
}

void spf(std::string_view text) {
  if (!dns::is_spf(text)) return;
  const std::vector<std::string> includes = {"x.example"};
  if (!dns::parse_spf(text)) return;
  const std::string completed = dns::spf_with(text, includes);
  demand(dns::is_spf(completed) && dns::parse_spf(completed), "what was well is well with an include more");
  dns::Answers answers;
  answers["a.example.com"] = {dns::Answer::Kind::texts, {completed}};
  const dns::SpfWalk walk = dns::walk_spf("a.example.com", answers);
  demand(walk.passing.contains("x.example") || walk.lookups > 40, "an include that was added counts");
}

}  // namespace

void dns_records(std::string_view input) {
  spf(input);
  if (const Result<dns::Tags> tags = dns::parse_tags(input))
    for (const dns::Tag& tag : *tags) demand(dns::find(*tags, tag.name) == tag.value, "a tag is there once");

  const dns::Answers answers = read_answers(input);
  const dns::SpfWalk walk = dns::walk_spf(needed.domain, answers);
  demand(walk.open.size() <= 41 && walk.unknown.size() <= 82, "what is asked for is bounded");
  const std::vector<dns::Finding> findings = dns::check_records(needed, answers);
  for (const dns::Record record : {dns::Record::spf, dns::Record::dkim, dns::Record::dmarc})
    demand(std::ranges::count(findings, record, &dns::Finding::record) > 0, "each record has a finding");
  const bool well = std::ranges::all_of(findings, [](const dns::Finding& finding) {
    return finding.state == dns::State::ok || finding.state == dns::State::note;
  });
  for (const char* name : {"a.example.com", "s1._domainkey.example.com", "_dmarc.a.example.com"})
    demand(!well || answers.contains(name), "nothing is well that was not asked for");
  demand(!well || passes_on(needed.ways.front(), needed, answers) == dns::Passes::yes, "what is well passes");
}

}  // namespace relayd::fuzz
