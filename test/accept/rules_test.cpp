#include "accept/rules.hpp"

#include <gtest/gtest.h>

namespace relayd::accept {
namespace {

using config::ListenerAuth;
using config::TlsMode;

config::Listener listener(ListenerAuth auth, TlsMode tls = TlsMode::none,
                          const std::vector<const char*>& allow = {"127.0.0.0/8", "::1"}) {
  config::Listener result;
  result.auth = auth;
  result.tls = tls;
  for (const char* network : allow) result.allow.push_back(*config::Network::parse(network));
  return result;
}

// The code that a client gets at MAIL; 0: it may go on.
int answer(const config::Listener& where, std::string_view client, bool logged_in = false,
           bool encrypted = false) {
  const auto reply = check_client(where, client, logged_in, encrypted);
  return reply ? reply->code : 0;
}

TEST(CheckClient, TakesTheAllowedWithoutLogin) {
  for (const ListenerAuth auth : {ListenerAuth::none, ListenerAuth::optional, ListenerAuth::accept_any}) {
    EXPECT_EQ(answer(listener(auth), "127.0.0.1"), 0);
    EXPECT_EQ(answer(listener(auth), "127.9.9.9"), 0);
    EXPECT_EQ(answer(listener(auth), "::1"), 0);
    EXPECT_EQ(answer(listener(auth), "unix"), 0);
  }
}

TEST(CheckClient, RefusesStrangersEverywhere) {
  EXPECT_EQ(answer(listener(ListenerAuth::none), "192.0.2.7"), 550);
  EXPECT_EQ(answer(listener(ListenerAuth::none), "172.17.0.1"), 550);  // a container's gateway is no friend
  EXPECT_EQ(answer(listener(ListenerAuth::optional), "192.0.2.7"), 530);
  EXPECT_EQ(answer(listener(ListenerAuth::required), "192.0.2.7"), 530);
  EXPECT_EQ(answer(listener(ListenerAuth::accept_any), "192.0.2.7"), 550);
  EXPECT_EQ(answer(listener(ListenerAuth::none), "no address"), 550);
}

TEST(CheckClient, AnAllowListReplacesLoopback) {
  const config::Listener office =
      listener(ListenerAuth::none, TlsMode::none, {"192.0.2.0/24", "2001:db8::/32"});
  EXPECT_EQ(answer(office, "192.0.2.7"), 0);
  EXPECT_EQ(answer(office, "2001:db8::5"), 0);
  EXPECT_EQ(answer(office, "127.0.0.1"), 550);
  EXPECT_EQ(answer(office, "unix"), 0);  // the socket's own permissions say who may use it
}

TEST(CheckClient, AUnixSocketMayBeForSomeUsersOnly) {
  config::Listener mine = listener(ListenerAuth::none);
  EXPECT_EQ(answer(mine, "uid:1000"), 0);
  mine.allow_uids = {0, 1000};
  EXPECT_EQ(answer(mine, "uid:1000"), 0);
  EXPECT_EQ(answer(mine, "uid:0"), 0);
  EXPECT_EQ(answer(mine, "uid:100"), 550);
  EXPECT_EQ(answer(mine, "unix"), 550);  // whoever it is
}

TEST(CheckClient, RequiredAuthKnowsNoFriends) {
  EXPECT_EQ(answer(listener(ListenerAuth::required), "127.0.0.1"), 530);
  EXPECT_EQ(answer(listener(ListenerAuth::required), "unix"), 530);
  EXPECT_EQ(answer(listener(ListenerAuth::required), "192.0.2.7", true), 0);
}

TEST(CheckClient, SaysWhatToDoFirst) {
  const config::Listener where = listener(ListenerAuth::required, TlsMode::starttls);
  EXPECT_EQ(check_client(where, "192.0.2.7", false, false)->text, "Must issue a STARTTLS command first");
  EXPECT_EQ(check_client(where, "192.0.2.7", false, true)->text, "Authentication required");
  EXPECT_EQ(check_client(where, "127.0.0.1", false, false)->text, "Authentication required");
}

TEST(CheckClient, ALoginOpensTheListenerThatCheckedIt) {
  EXPECT_EQ(answer(listener(ListenerAuth::optional), "192.0.2.7", true), 0);
  EXPECT_EQ(answer(listener(ListenerAuth::required), "192.0.2.7", true), 0);
  EXPECT_EQ(answer(listener(ListenerAuth::accept_any), "192.0.2.7", true), 550);
}

TEST(MaySendAs, NoPatternsAllowEverything) {
  EXPECT_TRUE(may_send_as({}, "ann@example.com"));
}

TEST(MaySendAs, MatchesAddressesAndDomainsInAnyCase) {
  const std::vector<std::string> patterns{"@Example.com", "Bot@example.org"};
  EXPECT_TRUE(may_send_as(patterns, "ann@example.com"));
  EXPECT_TRUE(may_send_as(patterns, "ANN@EXAMPLE.COM"));
  EXPECT_TRUE(may_send_as(patterns, "bot@example.org"));
  EXPECT_FALSE(may_send_as(patterns, "ann@example.org"));
  EXPECT_FALSE(may_send_as(patterns, "ann@sub.example.com"));
  EXPECT_FALSE(may_send_as(patterns, "ann@notexample.com"));
  EXPECT_FALSE(may_send_as(patterns, "example.com"));
  EXPECT_FALSE(may_send_as(patterns, "\"@example.com\"@example.net"));
}

TEST(MaySendAs, MatchesAnAddressInAllItsSpellings) {
  const std::vector<std::string> patterns{"ann.smith@b\xc3\xbc\x63her.example", "@*.m\xc3\xbcller.example"};
  EXPECT_TRUE(may_send_as(patterns, "\"Ann.Smith\"@xn--bcher-kva.example"));
  EXPECT_TRUE(may_send_as(patterns, "bob@mail.xn--mller-kva.example"));
  EXPECT_FALSE(may_send_as(patterns, "bob@xn--mller-kva.example"));
}

TEST(MaySendAs, AStarIsEverybody) {
  EXPECT_TRUE(may_send_as({"*"}, "ann@example.com"));
}

// Reports have no sender (RFC 3464 2).
TEST(MaySendAs, TheNullSenderMayAlways) {
  EXPECT_TRUE(may_send_as({"@example.com"}, ""));
}

TEST(AuthOffered, OnlyWhereNobodyCanListen) {
  EXPECT_FALSE(auth_offered(listener(ListenerAuth::none), "127.0.0.1", true));
  for (const ListenerAuth auth : {ListenerAuth::optional, ListenerAuth::required, ListenerAuth::accept_any}) {
    EXPECT_FALSE(auth_offered(listener(auth), "192.0.2.7", false));
    EXPECT_TRUE(auth_offered(listener(auth), "192.0.2.7", true));
    EXPECT_TRUE(auth_offered(listener(auth), "127.0.0.1", false));
    EXPECT_TRUE(auth_offered(listener(auth), "::1", false));
    EXPECT_TRUE(auth_offered(listener(auth), "unix", false));
  }
}

}  // namespace
}  // namespace relayd::accept
