// docs/keys.md against the key table: it names each key that there is and none that there is not.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>

#include "shared/config/config.hpp"
#include "shared/config/yaml.hpp"

namespace relayd::config {
namespace {

using Paths = std::set<std::string>;

// Keys that several places have stand once in the page: those of a secret below "SECRET", those of header
// rules below "headers", those of rewriting below "rewrite".
std::string name_in_page(const std::string& path) {
  static const std::regex secret(
      R"(^.*\.(?:token|refresh_token|secret|client_secret|(?:next_)?password|scram_sha_256)\.(file|env|credential|command)$)");
  static const std::regex shared(R"(^(?:upstreams|senders)\.\*\.((?:headers|rewrite)\..*)$)");
  std::smatch found;
  if (std::regex_match(path, found, secret)) return "SECRET." + found[1].str();
  return std::regex_match(path, found, shared) ? found[1].str() : path;
}

Paths keys_of_table(bool supported) {
  Paths paths;
  for (const KeyRow& row : key_table())
    if (row.supported == supported) paths.insert(name_in_page(row.path));
  return paths;
}

// The keys that items of a list begin with: "- `queue.lifetime` (…): …".
Paths keys_of_page() {
  std::ifstream file(PROJECT_DIR "/docs/keys.md");
  static const std::regex item("^- `([^`]+)`.*");
  Paths paths;
  std::smatch found;
  for (std::string line; std::getline(file, line);)
    if (std::regex_match(line, found, item)) {
      EXPECT_TRUE(paths.insert(found[1]).second) << "twice: " << found[1];
    }
  return paths;
}

// What items say of defaults: "- `queue.lifetime` (duration, default `5d`): …".
std::map<std::string, std::string> defaults_of_page() {
  std::ifstream file(PROJECT_DIR "/docs/keys.md");
  static const std::regex item("^- `([^`]+)` \\([^:]*default `([^`]+)`\\): .*");
  std::map<std::string, std::string> defaults;
  std::smatch found;
  for (std::string line; std::getline(file, line);)
    if (std::regex_match(line, found, item)) defaults[found[1]] = found[2];
  return defaults;
}

void collect(const Node& node, const std::string& path, std::map<std::string, std::string>& values) {
  if (node.kind == Node::Kind::scalar) values[path] = node.text;
  for (const Entry& entry : node.entries)
    collect(entry.value, path + (path.empty() ? "" : ".") + entry.key, values);
}

Paths without(const Paths& some, const Paths& others) {
  Paths left;
  std::ranges::set_difference(some, others, std::inserter(left, left.end()));
  return left;
}

TEST(KeysPage, NamesEveryKeyAndNoOther) {
  const Paths known = keys_of_table(true), shown = keys_of_page();
  EXPECT_EQ(without(known, shown), Paths()) << "add them to docs/keys.md";
  EXPECT_EQ(without(shown, known), Paths()) << "docs/keys.md names what relayd does not know";
}

// The active keys of the example show the defaults, which example_test.cpp holds against the code.
TEST(KeysPage, ItsDefaultsAreThoseOfTheExample) {
  std::ifstream file(PROJECT_DIR "/config.example.yaml");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<Diagnostic> problems;
  const std::optional<Node> root = parse_yaml(text, "config.example.yaml", problems);
  std::map<std::string, std::string> example;
  for (const Entry& entry : root->entries)
    if (entry.key == "limits" || entry.key == "queue" || entry.key == "history" || entry.key == "log")
      collect(entry.value, entry.key, example);
  ASSERT_GE(example.size(), 20u);
  const std::map<std::string, std::string> page = defaults_of_page();
  for (const auto& [path, value] : example)
    EXPECT_EQ(page.contains(path) ? page.at(path) : "", value) << path;
}

}  // namespace
}  // namespace relayd::config
