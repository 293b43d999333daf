#include "import/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

namespace relayd::importing {

void Report::carried(const Place& where, std::string text) {
  findings_.push_back({Finding::Kind::carried, where, std::move(text)});
}

void Report::left(const Place& where, std::string text) {
  findings_.push_back({Finding::Kind::left, where, std::move(text)});
}

void Report::left_after_all(const Place& where, std::string text) {
  std::erase_if(findings_, [&where](const Finding& finding) {
    return finding.kind == Finding::Kind::carried && to_string(finding.where) == to_string(where);
  });
  left(where, std::move(text));
}

void Report::meaningless(const Place& where, std::string name) {
  meaningless_.push_back({Finding::Kind::carried, where, std::move(name)});
}

bool Report::left_out() const {
  return std::ranges::find(findings_, Finding::Kind::left, &Finding::kind) != findings_.end();
}

std::string Report::text() const {
  std::map<std::string, std::size_t> order;  // of the files
  for (const Finding& finding : findings_) order.emplace(finding.where.file, order.size());
  std::vector<Finding> sorted = findings_;
  std::ranges::stable_sort(sorted, {}, [&order](const Finding& finding) {
    return std::pair(order.at(finding.where.file), finding.where.line);
  });
  std::string text;
  const auto add = [&](Finding::Kind kind, std::string_view heading) {
    bool first = true;
    for (const Finding& finding : sorted) {
      if (finding.kind != kind) continue;
      if (std::exchange(first, false)) fmt::format_to(std::back_inserter(text), "{}\n", heading);
      fmt::format_to(std::back_inserter(text), "  {}: {}\n", to_string(finding.where), finding.text);
    }
    if (!first) text += '\n';
  };
  add(Finding::Kind::carried, "Carried over:");
  add(Finding::Kind::left, "Left out:");
  if (!meaningless_.empty()) {
    text += "Without meaning here:\n";
    for (const Finding& one : meaningless_)
      fmt::format_to(std::back_inserter(text), "  {}: {}\n", to_string(one.where), one.text);
    text += '\n';
  }
  return text;
}

}  // namespace relayd::importing
