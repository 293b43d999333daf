#include "watch/finding.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "watch/answer.hpp"

namespace relayd::watch {

std::string to_text(const Finding& finding) {
  std::string line = finding.upstream;
  if (!finding.account.empty()) line += fmt::format(" as {}", finding.account);
  line += fmt::format("{}{}", line.empty() ? "" : " ", word_for(finding.step));
  if (!finding.at.empty()) line += " " + finding.at;
  line += ": " + finding.text;
  if (!finding.advice.empty()) line += ". " + finding.advice;
  if (!finding.where.empty()) line += fmt::format(" ({})", finding.where);
  return line;
}

std::string to_line(const Finding& finding) {
  nlohmann::json object = {{"state", word_for(finding.health)}, {"step", word_for(finding.step)}};
  const std::pair<const char*, const std::string&> texts[] = {
      {"upstream", finding.upstream}, {"account", finding.account}, {"at", finding.at},
      {"text", finding.text},         {"advice", finding.advice},   {"where", finding.where},
      {"class", finding.reply_class}};
  for (const auto& [name, text] : texts)
    if (!text.empty()) object[name] = text;
  if (finding.until) object["until"] = time_text(*finding.until);
  std::string line = line_of(object);
  line.pop_back();
  return line;
}

Health worst(const std::vector<Finding>& findings) {
  Health worst = Health::ok;
  for (const Finding& finding : findings) worst = std::max(worst, finding.health);
  return worst;
}

}  // namespace relayd::watch
