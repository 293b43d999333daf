#include "providers/fixture.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "fake/behaviours.hpp"

namespace relayd::test {

namespace {

std::vector<std::string> words_in(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

// Up to the mark, which is dropped with it.
std::string take_until(std::string& text, std::string_view mark) {
  const std::size_t end = text.find(mark);
  if (end == std::string::npos) throw std::invalid_argument(fmt::format("no '{}' in: {}", mark, text));
  std::string taken = text.substr(0, end);
  text.erase(0, end + mark.size());
  return taken;
}

smtp::Stage stage_of(const std::string& name) {
  for (int stage = 0; stage <= static_cast<int>(smtp::Stage::final_dot); ++stage)
    if (to_string(static_cast<smtp::Stage>(stage)) == name) return static_cast<smtp::Stage>(stage);
  throw std::invalid_argument("unknown stage " + name);
}

smtp::Reply reply_of(const std::string& line) {
  smtp::ReplyParser parser;
  parser.feed(line + "\r\n");
  if (parser.state() != smtp::ReplyParser::State::complete) throw std::invalid_argument("no reply: " + line);
  return parser.take();
}

// "1800 s, all accounts"
providers::Extra extra_of(std::string text) {
  providers::Extra extra;
  for (text += ", "; !text.empty();) {
    const std::string part = take_until(text, ", ");
    if (part == "at once")
      extra.at_once = true;
    else if (part == "all accounts")
      extra.all_accounts = true;
    else if (const auto cap = find_word<smtp::Cap>(part))
      extra.cap = *cap;
    else
      extra.wait = std::chrono::seconds(std::stoi(part));
  }
  return extra;
}

// "quota", "auth (1800 s)", "id 12"
void read_meaning(std::string meaning, Told& told) {
  if (meaning.starts_with("id ")) {
    told.id = meaning == "id -" ? "" : meaning.substr(3);
    return;
  }
  if (meaning.ends_with(")")) {
    meaning.pop_back();
    std::string extra = meaning;
    meaning = take_until(extra, " (");
    told.extra = extra_of(extra);
  }
  told.reply_class = find_word<smtp::ReplyClass>(meaning).value();
}

// "rate by throttle down"
void read_behaviours(std::string line, const std::vector<std::string>& providers, std::vector<Told>& all) {
  Told told;
  read_meaning(take_until(line, " by "), told);
  for (const std::string& provider : providers)
    for (const std::string& name : words_in(line)) {
      const providers::Provider* const known = providers::find(provider);
      const auto behaviour = fake::find_behaviour(known ? *known : providers::Provider{}, name);
      if (!behaviour) throw std::invalid_argument(fmt::format("{} has no behaviour {}", provider, name));
      told.provider = known ? provider : "";
      told.behaviour = name;
      told.stage = behaviour->stage;
      told.reply = reply_of(std::string(behaviour->reply));
      told.where = fmt::format("{} by {}", provider, name);
      all.push_back(told);
    }
}

void read_line(std::string line, const std::vector<std::string>& providers, std::vector<Told>& all) {
  Told told;
  std::string head = take_until(line, ": ");
  read_meaning(take_until(head, " at "), told);
  told.reply = reply_of(line);
  for (const std::string& provider : providers)
    for (const std::string& stage : words_in(head)) {
      told.provider = provider == "none" ? "" : provider;
      told.stage = stage_of(stage);
      told.where = fmt::format("{} at {}: {}", provider, stage, line);
      all.push_back(told);
    }
}

void read_file(const std::filesystem::path& path, std::vector<Told>& all) {
  std::ifstream file(path);
  std::vector<std::string> providers;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.starts_with('#') || line.starts_with("server ")) continue;
    if (line.starts_with("provider: "))
      providers = words_in(line.substr(10));
    else if (line.find(": ") == std::string::npos)
      read_behaviours(line, providers, all);
    else
      read_line(line, providers, all);
  }
}

}  // namespace

const std::vector<Told>& all_told() {
  static const std::vector<Told> told = [] {
    const std::filesystem::path tests = std::filesystem::path(PROJECT_DIR) / "test";
    std::vector<Told> all;
    for (const auto& entry : std::filesystem::directory_iterator(tests / "providers"))
      if (entry.path().extension() == ".txt") read_file(entry.path(), all);
    read_file(tests / "settle" / "general.txt", all);
    return all;
  }();
  return told;
}

}  // namespace relayd::test
