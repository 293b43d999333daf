// Which RELAYD_* variables are errors, with and without a file, and in which words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include "shared/config/environment.hpp"
#include "shared/config/test_config.hpp"

namespace relayd::config {
namespace {

using testing::HasSubstr;

// Errors of a start without a file that has a host.
std::string refused(Environment environment) {
  environment.emplace("RELAYD_HOST", "smtp.example.net");
  return lines(load_environment(environment).errors);
}

constexpr std::string_view file_without_listeners = R"(
upstreams: {office: {host: smtp.example.net}}
senders: [{match: "*", upstream: office}]
)";

class BesideAFile : public testing::Test {
 protected:
  Loaded load(const Environment& environment, std::string_view more = "", const Demands& demands = {}) {
    return load_file(folder_.write("relayd.yaml", std::string(file_without_listeners) + std::string(more)),
                     environment, demands);
  }
  std::string refused(const Environment& environment, std::string_view more = "") {
    return lines(load(environment, more).errors);
  }

 private:
  Folder folder_;
};

// What Kubernetes sets for Services called relayd and relayd-http, and Docker for a link.
const Environment of_services = {{"RELAYD_PORT", "tcp://10.0.0.1:25"},
                                 {"RELAYD_SERVICE_HOST", "10.0.0.1"},
                                 {"RELAYD_SERVICE_PORT", "25"},
                                 {"RELAYD_SERVICE_PORT_SMTP", "25"},
                                 {"RELAYD_PORT_25_TCP", "tcp://10.0.0.1:25"},
                                 {"RELAYD_PORT_25_TCP_ADDR", "10.0.0.1"},
                                 {"RELAYD_PORT_25_TCP_PORT", "25"},
                                 {"RELAYD_PORT_25_TCP_PROTO", "tcp"},
                                 {"RELAYD_HTTP_PORT", "tcp://10.0.0.1:9125"},
                                 {"RELAYD_HTTP_SERVICE_HOST", "10.0.0.1"},
                                 {"RELAYD_NAME", "/web/relayd"},
                                 {"RELAYD_ENV_PATH", "/usr/bin"}};

TEST(EnvironmentNames, AnUnknownVariableIsAnErrorThatNamesTheRightOne) {
  EXPECT_EQ(refused({{"RELAYD_PASWORD", "x"}}),
            "RELAYD_PASWORD: there is no such variable (did you mean 'RELAYD_PASSWORD'?)\n");
  EXPECT_EQ(refused({{"RELAYD_BANANA_SPLIT", "x"}}), "RELAYD_BANANA_SPLIT: there is no such variable\n");
  EXPECT_EQ(refused({{"RELAYD_BANANA_SPLIT", ""}, {"RELAYD_CONFIG", "x"}, {"RELAYD_DNS", "192.0.2.53"}}), "");
}

TEST(EnvironmentNames, WhatAServiceOfThatNameSetsIsNotOurs) {
  EXPECT_EQ(refused(of_services), "");
}

TEST(EnvironmentNames, AUserOfTheMachineIsNotTheAccount) {
  EXPECT_EQ(refused({{"RELAYD_USER", "apikey"}}),
            "RELAYD_USER: there is no user 'apikey' on this machine; the account at the provider is "
            "RELAYD_USERNAME\n");
  EXPECT_EQ(refused({{"RELAYD_USER", std::to_string(::geteuid())}}), "");
}

TEST(EnvironmentNames, WithoutAnythingItNamesWhatItNeeds) {
  const auto said = [](const Environment& environment) {
    return lines(load_environment(environment).errors);
  };
  EXPECT_EQ(
      said({}),
      "environment: nothing says where mail goes: set RELAYD_PROVIDER (or RELAYD_HOST), RELAYD_USERNAME "
      "and RELAYD_PASSWORD_FILE, or write a configuration file, as `relayd init` does\n");
  EXPECT_EQ(said({{"RELAYD_USERNAME", "u"}, {"RELAYD_PASSWORD", "p"}}),
            "environment: nothing says where mail goes: set RELAYD_PROVIDER (or RELAYD_HOST), or write a "
            "configuration file, as `relayd init` does\n");
  EXPECT_THAT(said({{"RELAYD_PROVDER", "ses"}}), HasSubstr("did you mean 'RELAYD_PROVIDER'?"));
}

TEST(EnvironmentNames, ErrorsSpeakOfVariablesAndNotOfKeys) {
  const Environment cases[] = {
      {{"RELAYD_USERNAME", "u"}},
      {{"RELAYD_PASSWORD", "p"}},
      {{"RELAYD_REGION", "eu"}},
      {{"RELAYD_LISTEN", "0.0.0.0:25"}},
      {{"RELAYD_TLS", "none"}, {"RELAYD_USERNAME", "u"}, {"RELAYD_PASSWORD", "p"}},
      {{"RELAYD_OAUTH2_CLIENT_ID", "x"}},
      {{"RELAYD_USERNAME", "u"}, {"RELAYD_PASSWORD", "p"}, {"RELAYD_OAUTH2_CLIENT_ID", "x"}},
      {{"RELAYD_USERNAME", "u"}, {"RELAYD_OAUTH2_CLIENT_KEY", "/dev/null"}},
      {{"RELAYD_USERNAME", "u"}, {"RELAYD_OAUTH2_CLIENT_ID", "x"}, {"RELAYD_AUTH", "plain"}},
  };
  for (const Environment& environment : cases) {
    const std::string said = refused(environment);
    EXPECT_THAT(said, HasSubstr("RELAYD_")) << environment.begin()->first;
    EXPECT_FALSE(std::regex_search(said, std::regex("'[a-z_0-9]+(: [a-z]+)?'"))) << said;
  }
}

TEST(EnvironmentNames, EachIsInTheTableOfTheDocumentation) {
  std::ifstream file(PROJECT_DIR "/docs/start.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  const std::size_t begin = page.find("| variable |");
  const std::string table = page.substr(begin, page.find("\n\n", begin) - begin);
  std::set<std::string> shown;
  const std::regex variable("RELAYD_[A-Z0-9_]+");
  for (std::sregex_iterator at(table.begin(), table.end(), variable); at != std::sregex_iterator(); ++at)
    shown.insert(at->str());
  std::set<std::string> known;
  for (const std::string_view name : environment_variables()) known.emplace(name);
  EXPECT_EQ(shown, known);
}

TEST_F(BesideAFile, AVariableWithoutEffectIsAnErrorThatNamesTheKey) {
  EXPECT_EQ(refused({{"RELAYD_REGION", "eu"}, {"RELAYD_FROM", "a@b.example"}}),
            "RELAYD_FROM: it has no effect beside a configuration file: write 'rewrite' there\n"
            "RELAYD_REGION: it has no effect beside a configuration file: write 'upstreams.NAME.region' "
            "there\n");
  EXPECT_EQ(refused({{"RELAYD_PASWORD", "x"}}),
            "RELAYD_PASWORD: there is no such variable (did you mean 'RELAYD_PASSWORD'?)\n");
}

TEST_F(BesideAFile, WhatTheFileNamesOrACommandNeedsIsNoError) {
  EXPECT_EQ(refused({{"RELAYD_PASSWORD", "x"}, {"RELAYD_MY_KEY", "mail.example.com"}},
                    "hostname: ${RELAYD_MY_KEY}\naccounts: [{name: a, password: {env: RELAYD_PASSWORD}}]\n"),
            "");
  EXPECT_EQ(refused({{"RELAYD_CONFIG", "x"},
                     {"RELAYD_DNS", "192.0.2.53"},
                     {"RELAYD_ADMIN", "/run/a"},
                     {"RELAYD_HTTP_TOKEN", "x"},
                     {"RELAYD_HTTP_TOKEN_FILE", "x"}}),
            "");
  EXPECT_EQ(refused(of_services), "");
}

TEST_F(BesideAFile, ThePartOfALongerNameIsNotNamed) {
  EXPECT_THAT(refused({{"RELAYD_HOST", "x"}}, "# RELAYD_HOSTNAME\n"),
              HasSubstr("RELAYD_HOST: it has no effect"));
}

TEST_F(BesideAFile, OnlyAStartAsksForIt) {
  EXPECT_TRUE(load({{"RELAYD_REGION", "eu"}}, "", {.variables = false}).config);
}

TEST_F(BesideAFile, ListenersComeFromTheEnvironmentWhereTheFileHasNone) {
  const Environment environment = {{"RELAYD_LISTEN", "0.0.0.0:2525"}, {"RELAYD_ALLOW", "10.0.0.0/8"}};
  const Loaded loaded = load(environment);
  ASSERT_TRUE(loaded.config) << lines(loaded.errors);
  ASSERT_EQ(loaded.config->listeners.size(), 1u);
  EXPECT_EQ(loaded.config->listeners[0].address, "0.0.0.0:2525");
  EXPECT_EQ(loaded.config->listeners[0].allow.at(0).text(), "10.0.0.0/8");
  EXPECT_THAT(
      refused({{"RELAYD_LISTEN", "0.0.0.0:2525"}}),
      HasSubstr("RELAYD_LISTEN: 0.0.0.0:2525 is reachable from other machines: say who may relay with "
                "RELAYD_ALLOW"));
}

TEST_F(BesideAFile, ListenersOfTheFileCount) {
  constexpr std::string_view listen = "listen: [{address: \"127.0.0.1:2500\"}]\n";
  const Loaded loaded = load({{"RELAYD_LISTEN", "0.0.0.0:2525"}}, listen);
  ASSERT_TRUE(loaded.config) << lines(loaded.errors);
  EXPECT_EQ(loaded.config->listeners.at(0).address, "127.0.0.1:2500");
  EXPECT_EQ(refused({{"RELAYD_ALLOW", "10.0.0.0/8"}}, listen),
            "RELAYD_ALLOW: the configuration file has 'listen': write 'allow' there\n");
}

}  // namespace
}  // namespace relayd::config
