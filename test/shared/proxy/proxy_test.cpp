#include "shared/proxy/proxy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::proxy {
namespace {

using testing::HasSubstr;
using testing::Not;

Proxy good(std::string_view text) {
  const Result<Proxy> proxy = parse_proxy(text);
  EXPECT_TRUE(proxy) << text << ": " << proxy.error();
  return proxy ? *proxy : Proxy{};
}
std::string fault(std::string_view text) {
  const Result<Proxy> proxy = parse_proxy(text);
  EXPECT_FALSE(proxy) << text;
  return proxy ? "" : proxy.error();
}

TEST(ParseProxy, ReadsHostAndPort) {
  const Proxy socks = good("socks5://10.0.0.1:1080");
  EXPECT_TRUE(socks.socks);
  EXPECT_EQ(socks.host, "10.0.0.1");
  EXPECT_EQ(socks.port, 1080);
  EXPECT_EQ(socks.username, "");
  EXPECT_FALSE(good("http://proxy.example:3128").socks);
  EXPECT_EQ(good("socks5://[::1]:1080").host, "::1");
}

TEST(ParseProxy, ReadsAnAccount) {
  const Proxy proxy = good("socks5://ann%40x:p%3A%2Fw@d@proxy.example:1080");
  EXPECT_EQ(proxy.username, "ann@x");
  EXPECT_EQ(proxy.password.reveal(), "p:/w@d");
  EXPECT_EQ(proxy.host, "proxy.example");
}

TEST(ParseProxy, ShowsNoAccount) {
  EXPECT_EQ(shown(good("socks5://ann:secret@[::1]:1080")), "socks5://[::1]:1080");
  EXPECT_EQ(shown(good("http://ann:secret@proxy.example:3128")), "http://proxy.example:3128");
}

TEST(ParseProxy, RefusesWhatIsNoProxy) {
  for (const std::string_view text :
       {"", "proxy.example:1080", "socks4://h:1", "https://h:1", "socks5://", "socks5://h", "socks5://[::1]",
        "socks5://h:1/", "socks5://h:1/x", "http://h:1?x"})
    EXPECT_THAT(fault(text), HasSubstr("socks5://HOST:PORT or http://HOST:PORT")) << text;
  EXPECT_THAT(fault("socks5://h:0"), HasSubstr("a port is"));
  EXPECT_THAT(fault("socks5://h:25"), HasSubstr("mail servers"));
}

TEST(ParseProxy, RefusesAnAccountThatCannotBeSentAndDoesNotShowIt) {
  for (const std::string_view account :
       {"canary", "canary:", ":canary", "canary:%zz", "canary:x%0Ay", "canary:%4"})
    EXPECT_THAT(fault("socks5://" + std::string(account) + "@h:1"), Not(HasSubstr("canary"))) << account;
  EXPECT_THAT(fault("socks5://" + std::string(256, 'a') + ":x@h:1"), HasSubstr("1 to 255"));
  EXPECT_THAT(fault("http://a%3Ab:x@h:1"), HasSubstr("no ':'"));
}

}  // namespace
}  // namespace relayd::proxy
