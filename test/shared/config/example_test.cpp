// config.example.yaml against the key table: it loads as it is, and with every key switched on it shows each
// key that there is and none that there is not.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>

#include "shared/config/config.hpp"
#include "shared/config/example_text.hpp"
#include "shared/config/readable.hpp"
#include "shared/config/test_config.hpp"
#include "shared/config/yaml.hpp"

namespace relayd::config {
namespace {

bool is_named(const std::string& path) {
  return path == "upstreams" || path == "tables";
}

// Patterns and names stand there, not keys; or those of an upstream or a webhook.
bool has_no_keys(const std::string& path) {
  return path == "aliases" || path == "http.token" ||
         (path.starts_with("senders.") && path.ends_with(".oauth2")) || path.starts_with("access.") ||
         path.ends_with("headers.set") || path.ends_with("headers.default") || path == "senders.*.header";
}

// Adds the path of every key below `node`; names and places in a list become "*".
void collect(const Node& node, const std::string& path, std::set<std::string>& paths) {
  for (const Node& item : node.items) collect(item, path + ".*", paths);
  for (const Entry& entry : node.entries) {
    const std::string below = is_named(path) ? path + ".*" : path + (path.empty() ? "" : ".") + entry.key;
    if (!is_named(path)) paths.insert(below);
    if (!has_no_keys(below)) collect(entry.value, below, paths);
  }
}

TEST(Example, LoadsAsItIs) {
  const Loaded loaded = load_file(PROJECT_DIR "/config.example.yaml", {});
  ASSERT_TRUE(loaded.config) << lines(loaded.errors);
}

TEST(Example, ItsActiveKeysShowTheDefaults) {
  const Config shown = *load_file(PROJECT_DIR "/config.example.yaml", {}).config;
  const Limits limits;
  EXPECT_EQ(shown.limits.message_size, limits.message_size);
  EXPECT_EQ(shown.limits.header_size, limits.header_size);
  EXPECT_EQ(shown.limits.header_fields, limits.header_fields);
  EXPECT_EQ(shown.limits.recipients, limits.recipients);
  EXPECT_EQ(shown.limits.connections, limits.connections);
  EXPECT_EQ(shown.limits.connections_per_client, limits.connections_per_client);
  EXPECT_EQ(shown.limits.command_timeout, limits.command_timeout);
  EXPECT_EQ(shown.limits.data_timeout, limits.data_timeout);
  EXPECT_EQ(shown.limits.bare_newlines, limits.bare_newlines);
  const Queue queue;
  EXPECT_EQ(shown.queue.directory, queue.directory);
  EXPECT_EQ(shown.queue.lifetime, queue.lifetime);
  EXPECT_EQ(shown.queue.retry.first, queue.retry.first);
  EXPECT_EQ(shown.queue.retry.factor, queue.retry.factor);
  EXPECT_EQ(shown.queue.retry.maximum, queue.retry.maximum);
  EXPECT_EQ(shown.queue.retry.jitter, queue.retry.jitter);
  EXPECT_EQ(shown.queue.reserve, queue.reserve);
  EXPECT_EQ(shown.queue.keep_failed, queue.keep_failed);
  EXPECT_EQ(shown.queue.require_persistent, queue.require_persistent);
  EXPECT_EQ(shown.queue.in_doubt, queue.in_doubt);
  const History history;
  EXPECT_EQ(shown.history.keep, history.keep);
  EXPECT_EQ(shown.history.size, history.size);
  const Log log;
  EXPECT_EQ(shown.log.format, log.format);
  EXPECT_EQ(shown.log.level, log.level);
  EXPECT_EQ(shown.log.addresses, log.addresses);
}

// Those of an upstream's limits are in route/example_test.cpp.
TEST(Example, WhatIsSwitchedOffShowsTheDefaults) {
  const Config shown = read_what_can_be(switched_on(), "config.example.yaml", Environment()).config;
  const Bounce bounce;
  EXPECT_EQ(shown.bounce.to_sender, bounce.to_sender);
  EXPECT_EQ(shown.bounce.content, bounce.content);
  EXPECT_EQ(to_string(shown.bounce.limit), to_string(bounce.limit));
  ASSERT_TRUE(shown.suppress && shown.watch);
  EXPECT_EQ(shown.suppress->keep, Suppress().keep);
  EXPECT_EQ(shown.watch->every, Watch().every);
  ASSERT_FALSE(shown.webhooks.empty());
  EXPECT_EQ(shown.webhooks[0].size, Webhook().size);
  const Config none;
  EXPECT_EQ(shown.confinement, none.confinement);
  const Upstream* const office = shown.upstream("office");
  ASSERT_TRUE(office);
  const Upstream upstream;
  EXPECT_EQ(office->protocol, upstream.protocol);
  EXPECT_EQ(office->mx, upstream.mx);
  EXPECT_EQ(office->srv, upstream.srv);
  EXPECT_EQ(office->tls_options.verify, upstream.tls_options.verify);
}

// What every secret may be is said once, at its top.
TEST(Example, ShowsEveryKeyAndNoOther) {
  std::vector<Diagnostic> problems;
  const std::optional<Node> root = parse_yaml(switched_on(), "config.example.yaml", problems);
  ASSERT_EQ(lines(problems), "");
  std::set<std::string> shown, known;
  collect(*root, "", shown);
  for (const KeyRow& row : key_table())
    if (!row.path.starts_with("http.token.") && !row.path.ends_with(".credential")) known.insert(row.path);

  std::vector<std::string> missing, unknown;
  std::ranges::set_difference(known, shown, std::back_inserter(missing));
  std::ranges::set_difference(shown, known, std::back_inserter(unknown));
  EXPECT_EQ(missing, std::vector<std::string>()) << "add them to config.example.yaml";
  EXPECT_EQ(unknown, std::vector<std::string>()) << "config.example.yaml shows what relayd does not know";
}

// Certificates, keys and secrets that this machine does not have may be missing; everything else is right.
TEST(Example, WithEveryKeySwitchedOnOnlyWhatIsNotSupportedYetIsRefused) {
  const Environment environment = {
      {"REPORTS_PASSWORD", "x"},     {"SCANNER_SCRAM", "x"},       {"OFFICE_PASSWORD", "x"},
      {"OFFICE_NEXT_PASSWORD", "x"}, {"NET_PASSWORD", "x"},        {"NET_NEXT_PASSWORD", "x"},
      {"WEBHOOK_SECRET", "x"},       {"GMAIL_CLIENT_SECRET", "x"}, {"GMAIL_REFRESH_TOKEN", "x"}};
  std::set<int> marked;
  std::istringstream text(switched_on());
  int number = 0;
  for (std::string line; std::getline(text, line);) {
    ++number;
    if (line.find(": ") != line.npos && line.find("# not supported yet") != line.npos) marked.insert(number);
  }
  std::set<int> refused;
  for (const Diagnostic& error : load(switched_on(), environment).errors) {
    if (error.text.starts_with("cannot read /")) continue;
    if (error.text.ends_with("is not supported yet"))
      refused.insert(error.where.line);
    else
      ADD_FAILURE() << to_string(error);
  }
  EXPECT_EQ(refused, marked);
}

}  // namespace
}  // namespace relayd::config
