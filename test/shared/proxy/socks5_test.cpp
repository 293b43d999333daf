#include "shared/proxy/socks5.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::proxy {
namespace {

using testing::HasSubstr;
using namespace std::string_literals;

Proxy plain() {
  return {true, "proxy.example", 1080, "", Secret()};
}
Proxy with_account() {
  return {true, "proxy.example", 1080, "ann", Secret(std::string("secret"))};
}

// Feeds what the proxy says, in the pieces that are asked for; what is left over is not read.
std::string talk(Socks5& client, std::string_view said) {
  std::string sent = client.take_output();
  while (client.wants() > 0 && said.size() >= client.wants()) {
    const std::size_t count = client.wants();
    client.feed(said.substr(0, count));
    said.remove_prefix(count);
    sent += client.take_output();
  }
  return sent;
}

constexpr std::string_view bound("\x05\x00\x00\x01\x0a\x00\x00\x01\x04\x38", 10);

TEST(Socks5, AsksForANameThatTheProxyLooksUp) {
  const Proxy proxy = plain();
  Socks5 client(proxy, "smtp.example.net", 587);
  EXPECT_EQ(talk(client, "\x05\x00"s + std::string(bound)),
            "\x05\x01\x00"s + "\x05\x01\x00\x03\x10smtp.example.net\x02\x4b"s);
  EXPECT_TRUE(client.open());
}

TEST(Socks5, AsksForAddressesAsSuch) {
  const Proxy proxy = plain();
  Socks5 four(proxy, "192.0.2.1", 25);
  EXPECT_THAT(talk(four, "\x05\x00"s), HasSubstr("\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x19"s));
  Socks5 six(proxy, "2001:db8::1", 25);
  EXPECT_THAT(talk(six, "\x05\x00"s), HasSubstr("\x05\x01\x00\x04\x20\x01\x0d\xb8"s));
}

TEST(Socks5, LogsInWhereItIsAskedTo) {
  const Proxy proxy = with_account();
  Socks5 client(proxy, "h", 25);
  EXPECT_EQ(talk(client, "\x05\x02\x01\x00"s + std::string(bound)),
            "\x05\x02\x00\x02\x01\x03"s + "ann\x06secret" + "\x05\x01\x00\x03\x01h\x00\x19"s);
  EXPECT_TRUE(client.open());
}

TEST(Socks5, SendsNoPasswordWhereNoneIsWanted) {
  const Proxy proxy = with_account();
  Socks5 client(proxy, "h", 25);
  EXPECT_THAT(talk(client, "\x05\x00"s + std::string(bound)), Not(HasSubstr("secret")));
  EXPECT_TRUE(client.open());
}

TEST(Socks5, ReadsEveryKindOfBoundAddressAndNothingBehindIt) {
  const Proxy proxy = plain();
  for (const std::string& address : {"\x01"s + std::string(4, 'a'), "\x04"s + std::string(16, 'a'),
                                     "\x03\x03"s + "abc", "\x03\x00"s, "\x03\xff"s + std::string(255, 'a')}) {
    Socks5 client(proxy, "h", 25);
    std::string said = "\x05\x00\x05\x00\x00"s + address + "\x00\x19"s + "220 hello";
    talk(client, said);
    EXPECT_TRUE(client.open());
    EXPECT_EQ(client.wants(), 0U);
    // One octet less is not enough.
    Socks5 waiting(proxy, "h", 25);
    talk(waiting, said.substr(0, said.size() - 10));
    EXPECT_FALSE(waiting.open());
    EXPECT_GT(waiting.wants(), 0U);
  }
}

TEST(Socks5, TellsWhyTheProxyDoesNotConnect) {
  const Proxy proxy = plain();
  for (const auto& [code, text] : {std::pair{1, "general failure"},
                                   {2, "rules"},
                                   {3, "network unreachable"},
                                   {4, "host unreachable"},
                                   {5, "connection refused"},
                                   {200, "unknown reason"}}) {
    Socks5 client(proxy, "h", 25);
    talk(client, "\x05\x00\x05"s + static_cast<char>(code) + "\x00\x01"s);
    EXPECT_TRUE(client.refused());
    EXPECT_THAT(client.fault(), HasSubstr(text));
  }
}

TEST(Socks5, StopsAtWhatIsNoSocks5) {
  const Proxy ann = with_account(), nobody = plain();
  const auto fault = [](const Proxy& proxy, const std::string& said) {
    Socks5 client(proxy, "h", 25);
    talk(client, said);
    EXPECT_FALSE(client.open() || client.refused()) << said;
    EXPECT_EQ(client.wants(), 0U) << said;
    return client.fault();
  };
  EXPECT_THAT(fault(nobody, "HT"), HasSubstr("no SOCKS5"));
  EXPECT_THAT(fault(nobody, "\x04\x00"s), HasSubstr("no SOCKS5"));
  EXPECT_THAT(fault(nobody, "\x05\xff"s), HasSubstr("demands a login"));
  EXPECT_THAT(fault(nobody, "\x05\x02"s), HasSubstr("not offered"));
  EXPECT_THAT(fault(ann, "\x05\xff"s), HasSubstr("neither"));
  EXPECT_THAT(fault(ann, "\x05\x01"s), HasSubstr("not offered"));
  EXPECT_THAT(fault(ann, "\x05\x02\x01\x01"s), HasSubstr("refuses the user"));
  EXPECT_THAT(fault(ann, "\x05\x02\x05\x00"s), HasSubstr("no SOCKS5"));
  EXPECT_THAT(fault(nobody, "\x05\x00\x05\x00\x00\x02"s), HasSubstr("unknown kind"));
}

}  // namespace
}  // namespace relayd::proxy
