#include "import/draft.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/config/yaml_text.hpp"

namespace relayd::importing {

namespace {

struct Frame {
  Section section;
  std::string_view comment;  // with line ends
  std::string_view opening;  // the keys that its entries stand in
  int indent;
  bool may_lack;  // an entry of it can be dropped
};

// `access` and `headers` are opened by the first of their sections that has entries.
constexpr auto frames = std::to_array<Frame>({
    {Section::top, "", "", 0, false},
    {Section::listen, "# Where programs hand in mail, and who may.\n", "listen:\n", 2, false},
    {Section::certificates, "", "tls:\n  certificates:\n", 4, false},
    {Section::access_senders, "# What is taken.\n", "  senders:\n", 4, true},
    {Section::access_recipients, "", "  recipients:\n", 4, true},
    {Section::aliases, "# Who a recipient stands for.\n", "aliases:\n", 2, true},
    {Section::bcc, "# Copies for others.\n", "bcc:\n", 2, true},
    {Section::rewrite, "# Addresses that become others: `when: taken` was canonical, the rest generic.\n",
     "rewrite:\n", 2, true},
    {Section::headers, "# Header fields that do not leave.\n", "headers:\n  remove:\n", 4, true},
    {Section::dkim, "# Keys that sign mail.\n", "dkim:\n", 2, true},
    {Section::limits, "", "limits:\n", 2, true},
    {Section::queue, "", "queue:\n", 2, true},
    {Section::upstreams, "# Where mail can go, and as whom.\n", "upstreams:\n", 2, false},
    {Section::recipients, "# Where mail to these recipients goes, whoever sends it.\n", "recipients:\n", 2,
     true},
    {Section::senders, "# Which sender leaves through which upstream: the most specific match wins.\n",
     "senders:\n", 2, true},
    {Section::tables, "", "tables:\n", 2, false},
});

}  // namespace

std::string plain_name(std::string_view text) {
  std::string name;
  for (const char c : ascii::lower(text))
    name += ascii::is_letter(c) || ascii::is_digit(c) || (c == '.' && !name.empty()) ? c : '-';
  return name.empty() ? "upstream" : name.substr(0, 80);
}

void Draft::add(Section section, std::string yaml, Place where, std::string what) {
  entries_.push_back({section, std::move(yaml), std::move(where), std::move(what)});
}

std::string Draft::add_secret(const std::string& stem, const Secret& secret) {
  const auto named = [this](const std::string& name) {
    return std::ranges::find(secrets_, name, &SecretFile::name);
  };
  std::string name = stem;
  for (int i = 2; named(name) != secrets_.end(); ++i) {
    if (named(name)->text == secret) return name;
    name = fmt::format("{}-{}", stem, i);
  }
  secrets_.push_back({name, secret});
  return name;
}

bool Draft::has(Section section) const {
  return std::ranges::find(entries_, section, &Entry::section) != entries_.end();
}

std::string Draft::write(const std::string& heading, std::vector<int>& owners) const {
  std::string text;
  const auto append = [&](std::string_view lines, int owner, int indent) {
    for (std::size_t at = 0; at < lines.size();) {
      const std::size_t end = std::min(lines.find('\n', at), lines.size());
      if (end > at) text.append(static_cast<std::size_t>(indent), ' ');
      text += lines.substr(at, end - at);
      text += '\n';
      owners.push_back(owner);
      at = end + 1;
    }
  };
  append(heading, -1, 0);
  bool access_is_open = false;
  for (const Frame& frame : frames) {
    if (!has(frame.section)) continue;
    const bool is_access =
        frame.section == Section::access_senders || frame.section == Section::access_recipients;
    if (!(is_access && access_is_open)) append("\n", -1, 0);
    append(frame.comment, -1, 0);
    if (is_access && !std::exchange(access_is_open, true)) append("access:\n", -1, 0);
    append(frame.opening, -1, 0);
    for (std::size_t i = 0; i < entries_.size(); ++i)
      if (entries_[i].section == frame.section)
        append(entries_[i].yaml, frame.may_lack ? static_cast<int>(i) : -1, frame.indent);
  }
  return text;
}

std::string Draft::text(const std::string& heading) const {
  std::vector<int> owners;
  return write(heading, owners);
}

std::size_t Draft::drop(const std::string& heading, const std::map<std::size_t, std::string>& complaints,
                        Report& report) {
  std::vector<int> owners;
  static_cast<void>(write(heading, owners));
  std::map<int, std::string> dropped;  // by entry
  for (const auto& [line, complaint] : complaints)
    if (line > 0 && line <= owners.size() && owners[line - 1] >= 0)
      dropped.emplace(owners[line - 1], complaint);
  for (auto one = dropped.rbegin(); one != dropped.rend(); ++one) {
    const auto entry = entries_.begin() + one->first;
    report.left_after_all(entry->where, fmt::format("{}: relayd refuses it: {}", entry->what, one->second));
    const std::string refusal = entry->section == Section::senders ? refusal_of(entry->what) : "";
    if (refusal.empty() || entry->yaml == refusal)
      entries_.erase(entry);
    else
      entry->yaml = refusal;
  }
  return dropped.size();
}

std::string refusal_of(const std::string& match) {
  return fmt::format("- match: {}\n  reject: \"550 5.7.1 No upstream is configured for this sender\"",
                     config::yaml_quoted(match));
}

}  // namespace relayd::importing
