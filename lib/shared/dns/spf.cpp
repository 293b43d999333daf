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

// "/0" in "DOMAIN/0//64"; a length for IPv6 stands behind two slashes, but for `ip6`.
bool is_everything(std::string_view value) {
  const std::size_t slash = value.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view length = value.substr(slash + 1, value.find('/', slash + 1) - slash - 1);
  return !length.empty() && length.find_first_not_of('0') == std::string_view::npos;
}

// It matches each server that asks over IPv4, as nearly all do.
bool matches_all(const SpfTerm& term) {
  if (term.modifier) return false;
  if (term.name == "all") return true;
  return (term.name == "ip4" || term.name == "a" || term.name == "mx") && is_everything(term.value);
}

bool matches_all_v6(const SpfTerm& term) {
  return !term.modifier && term.name == "ip6" && is_everything(term.value);
}

std::string text_of(const SpfTerm& term) {
  const std::string_view colon = term.value.empty() || term.value.starts_with('/') ? "" : ":";
  return fmt::format("'{}{}{}{}'", term.qualifier, term.name, colon, term.value);
}

// Whom a record lets pass.
struct Reach {
  std::set<std::string> names;  // domains whose servers pass
  std::string everybody;        // the term that lets all pass, with where it stands; empty: there is none
  bool somebody = true;         // or nobody knows
};

class Walker {
 public:
  explicit Walker(const Answers& answers) : answers_(answers) {}

  SpfWalk walk(const std::string& domain) {
    Reach reach = visit(domain);
    walk_.passing = std::move(reach.names);
    std::erase_if(walk_.late, [this](const std::string& name) { return walk_.passing.contains(name); });
    if (!reach.everybody.empty())
      walk_.faults.push_back(fmt::format("{} lets everybody send as this domain", reach.everybody));
    return std::move(walk_);
  }

 private:
  // What holds while the terms of one record are read in their order.
  struct Reading {
    const std::string& domain;
    bool first = false;              // the record of the domain itself
    bool stopped = false;            // a term has matched all that are left
    std::set<std::string> out = {};  // domains whose servers another qualifier met
    Reach reach = {};
  };

  Reach visit(const std::string& domain) {
    const bool first = path_.empty();
    const Result<std::vector<SpfTerm>> terms = record_of(domain, first);
    if (!terms) {
      if (!terms.error().empty()) walk_.faults.push_back(terms.error());
      return {};
    }
    path_.push_back(domain);
    Reading reading{domain, first};
    reading.reach.somebody = false;
    follow(*terms, reading);
    path_.pop_back();
    return std::move(reading.reach);
  }

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
    if (records.empty() && std::ranges::any_of(answer->second.texts, resembles_spf))
      return Error{fmt::format(
          "the record of {} is broken: it must begin with '{}' and a blank (RFC 7208 4.5)", domain, version)};
    if (records.empty()) return Error{first ? "" : fmt::format("{} is named, and has no SPF record", domain)};
    Result<std::vector<SpfTerm>> terms = parse_spf(records.front());
    if (!terms) return Error{fmt::format("the record of {} is broken: {}", domain, terms.error())};
    if (first) walk_.text = records.front();
    return terms;
  }

  void follow(const std::vector<SpfTerm>& terms, Reading& reading) {
    const SpfTerm* redirect = nullptr;
    bool ended = false;
    for (const SpfTerm& term : terms) {
      if (term.modifier && term.name == "redirect") redirect = &term;
      if (term.modifier) continue;
      if (ended && reading.first && term.name == "include") walk_.late.insert(target_of(term));
      if (ended) continue;
      ended = term.name == "all";
      if (term.name == "include") {
        go_on(term, reading);
        continue;
      }
      meet(term, reading);
    }
    if (redirect && !ended) go_on(*redirect, reading);
    if (reading.first && !ended && !redirect)
      walk_.notes.push_back(
          "it does not end with 'all': what it does not name is neither passed nor refused");
  }

  // A mechanism that names no other record.
  void meet(const SpfTerm& term, Reading& reading) {
    if (term.name == "a" || term.name == "mx" || term.name == "ptr" || term.name == "exists") ++walk_.lookups;
    if (reading.first && term.name == "ptr")
      walk_.notes.push_back("'ptr' is slow and ignored by many (RFC 7208 5.5)");
    const bool v6 = matches_all_v6(term);
    if (reading.stopped) return;
    if (term.qualifier == '+') {
      reading.reach.somebody = true;
      if ((v6 || matches_all(term)) && reading.reach.everybody.empty())
        reading.reach.everybody =
            text_of(term) + (reading.first ? "" : fmt::format(" in the record of {}", reading.domain));
      return;
    }
    if (v6 && reading.first)
      walk_.notes.push_back(fmt::format("behind {} no mail over IPv6 passes", text_of(term)));
    reading.stopped = matches_all(term);
  }

  static std::string target_of(const SpfTerm& term) {
    std::string target = ascii::lower(term.value);
    if (target.ends_with('.')) target.pop_back();
    return target;
  }

  // An include or a redirect.
  void go_on(const SpfTerm& term, Reading& reading) {
    const std::string target = target_of(term);
    Reach inner = reach_of(target, reading.domain);
    if (!inner.somebody) walk_.nobody.insert(target);
    if (inner.somebody && is_plain(target)) inner.names.insert(target);
    if (term.qualifier != '+') {
      reading.stopped = reading.stopped || !inner.everybody.empty();
      return reading.out.merge(inner.names);
    }
    for (const std::string& name : inner.names) {
      const bool met = reading.stopped || reading.out.contains(name);
      (met ? walk_.late : reading.reach.names).insert(name);
    }
    if (reading.stopped) return;
    reading.reach.somebody = reading.reach.somebody || inner.somebody;
    if (reading.reach.everybody.empty()) reading.reach.everybody = std::move(inner.everybody);
  }

  Reach reach_of(const std::string& target, const std::string& domain) {
    ++walk_.lookups;
    if (walk_.lookups > 4 * most_lookups) return {};
    if (!is_plain(target)) {
      walk_.notes.push_back(
          fmt::format("{} has {} with a macro, which is not followed here", domain, target));
      return {};
    }
    if (std::ranges::find(path_, target) != path_.end()) {
      walk_.faults.push_back(fmt::format("{} names {}, and so itself", domain, target));
      return {};
    }
    return visit(target);
  }

  const Answers& answers_;
  SpfWalk walk_;
  std::vector<std::string> path_;
};

std::string why_not(const SpfWalk& walk, bool none, const std::vector<std::string>& missing) {
  const bool late =
      std::ranges::any_of(missing, [&](const std::string& name) { return walk.late.contains(name); });
  std::string_view reason = "an include is missing";
  if (none)
    reason = "there is no record";
  else if (late)
    reason = "a term before the include keeps it from passing";
  return fmt::format("{}: mail through {} does not pass", reason, fmt::join(missing, ", "));
}

}  // namespace

bool is_spf(std::string_view text) {
  return ascii::equal_ignoring_case(text.substr(0, version.size()), version) &&
         (text.size() == version.size() || text[version.size()] == ' ');
}

bool resembles_spf(std::string_view text) {
  if (is_spf(text)) return false;
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  if (!ascii::equal_ignoring_case(text.substr(0, version.size()), version)) return false;
  text.remove_prefix(version.size());
  return text.empty() || (!ascii::is_letter(text.front()) && !ascii::is_digit(text.front()));
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
  SpfWalk walk = Walker(answers).walk(domain);
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
    const bool stops = term.qualifier != '+' && (term.name == "include" || matches_all(term));
    if (stops || term.name == "all" || term.name == "redirect")
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
  std::ranges::copy_if(includes, std::back_inserter(missing), [&](const std::string& include) {
    return !walk.passing.contains(include) && !walk.nobody.contains(include);
  });
  for (const std::string& fault : walk.faults) add(State::wrong, fault);
  for (const std::string& problem : walk.unknown) add(State::unknown, problem);
  for (const std::string& note : walk.notes) add(State::note, note);
  bool useless = false;
  for (const std::string& name : walk.nobody) {
    const bool wanted = std::ranges::find(includes, name) != includes.end();
    useless = useless || wanted;
    add(wanted ? State::wrong : State::note, fmt::format("{} is named, and its record lets nobody send{}",
                                                         name, wanted ? ": ask its operator" : ""));
  }
  const bool none = walk.text.empty() && walk.faults.empty() && walk.unknown.empty();
  if (!missing.empty() && walk.unknown.empty() && (none || !walk.text.empty()))
    add(State::wrong, why_not(walk, none, missing), spf_with(walk.text, missing));
  if (none && missing.empty()) add(State::note, "there is no record, and none that is known here needs one");
  if (missing.empty() && !useless && !walk.text.empty() && walk.faults.empty() && walk.unknown.empty())
    add(State::ok,
        fmt::format("all that is needed is included; {} of {} look-ups", walk.lookups, most_lookups));
  return findings;
}

}  // namespace relayd::dns
