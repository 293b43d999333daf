#include "shared/dns/spf.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "shared/base/ascii.hpp"

namespace relayd::dns {

namespace {

constexpr std::string_view version = "v=spf1";
constexpr int most_lookups = 10;

// A name of DNS that can be asked for; others may still be valid, with macros (RFC 7208 7).
bool is_plain(std::string_view domain) {
  return std::ranges::all_of(domain, [](char c) {
    return ascii::is_letter(c) || ascii::is_digit(c) || c == '-' || c == '_' || c == '.';
  });
}

// It ends with a label or a macro (domain-spec, RFC 7208 7.1).
bool is_domain(std::string_view domain) {
  if (domain.empty()) return false;
  const char last = domain.back();
  if (!ascii::is_letter(last) && !ascii::is_digit(last) && last != '.' && last != '}') return false;
  return domain.find_first_of(".%") != std::string_view::npos && !domain.starts_with('.') &&
         std::ranges::all_of(domain, [](char c) { return c > ' ' && c < 0x7f && c != '/'; });
}

bool is_prefix_length(std::string_view text, int most) {
  int length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  return error == std::errc() && end == text.data() + text.size() && length >= 0 && length <= most;
}

bool is_network(int family, std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  std::array<unsigned char, 16> octets{};
  if (::inet_pton(family, std::string(text.substr(0, slash)).c_str(), octets.data()) != 1) return false;
  return slash == text.size() || is_prefix_length(text.substr(slash + 1), family == AF_INET ? 32 : 128);
}

// "DOMAIN", "DOMAIN/24", "/24//64" or nothing.
bool is_host(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  std::string_view lengths = text.substr(slash);
  if (slash > 0 && !is_domain(text.substr(0, slash))) return false;
  if (const std::size_t second = lengths.find("//"); second != std::string_view::npos) {
    if (!is_prefix_length(lengths.substr(second + 2), 128)) return false;
    lengths = lengths.substr(0, second);
  }
  return lengths.empty() || is_prefix_length(lengths.substr(1), 32);
}

bool is_mechanism(const SpfTerm& term, bool has_value) {
  const std::string_view name = term.name, value = term.value;
  if (name == "all") return !has_value;
  if (name == "include" || name == "exists") return is_domain(value);
  if (name == "a" || name == "mx") return has_value ? !value.empty() && is_host(value) : true;
  if (name == "ptr") return !has_value || is_domain(value);
  if (name == "ip4") return is_network(AF_INET, value);
  return name == "ip6" && is_network(AF_INET6, value);
}

// Nothing: it is no term.
bool read_term(std::string_view text, SpfTerm& term) {
  const std::size_t end = std::min(text.find_first_of(":/="), text.size());
  if (end < text.size() && text[end] == '=') {
    term = {ascii::lower(text.substr(0, end)), std::string(text.substr(end + 1)), '+', true};
    const bool named = !term.name.empty() && ascii::is_letter(term.name.front()) && is_plain(term.name);
    return named && (term.name != "redirect" || is_domain(term.value));
  }
  const bool qualified =
      !text.empty() && std::string_view("+-?~").find(text.front()) != std::string_view::npos;
  term.qualifier = qualified ? text.front() : '+';
  term.name = ascii::lower(text.substr(qualified, end - qualified));
  const bool has_value = end < text.size();
  if (has_value) term.value = text.substr(end + (text[end] == ':'));
  return is_mechanism(term, has_value);
}

class Walker {
 public:
  explicit Walker(const Answers& answers) : answers_(answers) {}

  void visit(const std::string& domain, bool passing) {
    const bool first = path_.empty();
    const Result<std::vector<SpfTerm>> terms = record_of(domain, first);
    if (!terms) {
      if (!terms.error().empty()) walk_.faults.push_back(terms.error());
      return;
    }
    path_.push_back(domain);
    follow(*terms, domain, passing, first);
    path_.pop_back();
  }

  SpfWalk take() { return std::move(walk_); }

 private:
  // An empty error: there is nothing to say, or not yet.
  Result<std::vector<SpfTerm>> record_of(const std::string& domain, bool first) {
    const auto answer = answers_.find(domain);
    if (answer == answers_.end()) {
      if (std::ranges::find(walk_.open, domain) == walk_.open.end()) walk_.open.push_back(domain);
      return Error{};
    }
    if (answer->second.kind == Answer::Kind::failed) {
      walk_.unknown.push_back(answer->second.problem);
      return Error{};
    }
    std::vector<std::string> records;
    std::ranges::copy_if(answer->second.texts, std::back_inserter(records), is_spf);
    if (records.size() > 1)
      return Error{
          fmt::format("{} has {} SPF records, and only one may be: unite them", domain, records.size())};
    if (records.empty()) return Error{first ? "" : fmt::format("{} is named, and has no SPF record", domain)};
    Result<std::vector<SpfTerm>> terms = parse_spf(records.front());
    if (!terms) return Error{fmt::format("the record of {} is broken: {}", domain, terms.error())};
    if (first) walk_.text = records.front();
    return terms;
  }

  void follow(const std::vector<SpfTerm>& terms, const std::string& domain, bool passing, bool first) {
    const SpfTerm* redirect = nullptr;
    bool ended = false;
    for (const SpfTerm& term : terms) {
      if (term.modifier && term.name == "redirect") redirect = &term;
      if (term.modifier || ended) continue;
      ended = term.name == "all";
      if (first && ended && term.qualifier == '+')
        walk_.faults.push_back("'+all' lets everybody send as this domain");
      if (term.name == "include") go_on(term, domain, passing && term.qualifier == '+');
      if (term.name == "a" || term.name == "mx" || term.name == "ptr" || term.name == "exists")
        ++walk_.lookups;
      if (first && term.name == "ptr")
        walk_.notes.push_back("'ptr' is slow and ignored by many (RFC 7208 5.5)");
    }
    if (redirect && !ended) go_on(*redirect, domain, passing);
    if (first && !ended && !redirect)
      walk_.notes.push_back(
          "it does not end with 'all': what it does not name is neither passed nor refused");
  }

  void go_on(const SpfTerm& term, const std::string& domain, bool passing) {
    ++walk_.lookups;
    if (walk_.lookups > 4 * most_lookups) return;
    std::string target = ascii::lower(term.value);
    if (target.ends_with('.')) target.pop_back();
    if (!is_plain(target))
      return walk_.notes.push_back(
          fmt::format("{} has {} with a macro, which is not followed here", domain, target));
    if (std::ranges::find(path_, target) != path_.end())
      return walk_.faults.push_back(fmt::format("{} names {}, and so itself", domain, target));
    if (passing) walk_.passing.insert(target);
    visit(target, passing);
  }

  const Answers& answers_;
  SpfWalk walk_;
  std::vector<std::string> path_;
};

}  // namespace

bool is_spf(std::string_view text) {
  return ascii::equal_ignoring_case(text.substr(0, version.size()), version) &&
         (text.size() == version.size() || text[version.size()] == ' ');
}

Result<std::vector<SpfTerm>> parse_spf(std::string_view text) {
  std::vector<SpfTerm> terms;
  int redirects = 0;
  text.remove_prefix(version.size());
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.empty()) continue;
    SpfTerm term;
    if (!read_term(word, term)) return Error{fmt::format("'{}' is no term of SPF", word)};
    if (term.modifier && term.name == "redirect" && ++redirects > 1)
      return Error{"'redirect' is there twice"};
    terms.push_back(std::move(term));
  }
  return terms;
}

SpfWalk walk_spf(const std::string& domain, const Answers& answers) {
  Walker walker(answers);
  walker.visit(domain, true);
  SpfWalk walk = walker.take();
  for (const std::string& name : walk.open) walk.unknown.push_back(fmt::format("{} was not asked for", name));
  if (walk.lookups > most_lookups)
    walk.faults.push_back(
        fmt::format("it takes {}{} look-ups, and after {} receivers give up (RFC 7208 4.6.4): drop what "
                    "sends no more, or have "
                    "some senders use a subdomain",
                    walk.lookups > 4 * most_lookups ? "more than " : "",
                    std::min(walk.lookups, 4 * most_lookups), most_lookups));
  return walk;
}

std::string spf_with(std::string_view text, std::span<const std::string> includes) {
  std::string added;
  for (const std::string& include : includes) added += " include:" + include;
  if (text.empty()) return fmt::format("{}{} ~all", version, added);
  for (std::size_t at = text.find(' '); at < text.size(); at = text.find(' ', at + 1)) {
    SpfTerm term;
    const std::string_view rest = text.substr(at + 1);
    read_term(rest.substr(0, std::min(rest.find(' '), rest.size())), term);
    if (term.name == "all" || term.name == "redirect")
      return fmt::format("{}{}{}", text.substr(0, at), added, text.substr(at));
  }
  return std::string(text) + added;
}

std::vector<Finding> check_spf(const std::string& domain, std::span<const std::string> includes,
                               const SpfWalk& walk) {
  std::vector<Finding> findings;
  const auto add = [&](State state, std::string text, std::string needed = {}) {
    findings.push_back({state, Record::spf, domain, std::move(text), std::move(needed)});
  };
  std::vector<std::string> missing;
  std::ranges::copy_if(includes, std::back_inserter(missing),
                       [&](const std::string& include) { return !walk.passing.contains(include); });
  for (const std::string& fault : walk.faults) add(State::wrong, fault);
  for (const std::string& problem : walk.unknown) add(State::unknown, problem);
  for (const std::string& note : walk.notes) add(State::note, note);
  const bool none = walk.text.empty() && walk.faults.empty() && walk.unknown.empty();
  if (!missing.empty() && walk.unknown.empty() && (none || !walk.text.empty()))
    add(State::wrong,
        fmt::format("{}: mail through {} does not pass",
                    none ? "there is no record" : "an include is missing", fmt::join(missing, ", ")),
        spf_with(walk.text, missing));
  if (none && missing.empty()) add(State::note, "there is no record, and none that is known here needs one");
  if (missing.empty() && !walk.text.empty() && walk.faults.empty() && walk.unknown.empty())
    add(State::well,
        fmt::format("all that is needed is included; {} of {} look-ups", walk.lookups, most_lookups));
  return findings;
}

}  // namespace relayd::dns
