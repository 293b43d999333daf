#include "shared/config/network.hpp"

#include <gtest/gtest.h>

namespace relayd::config {
namespace {

bool contains(std::string_view network, std::string_view address) {
  return Network::parse(network)->contains(address);
}

TEST(Network, HoldsTheAddressesOfItsPrefix) {
  EXPECT_TRUE(contains("127.0.0.0/8", "127.255.0.1"));
  EXPECT_FALSE(contains("127.0.0.0/8", "128.0.0.1"));
  EXPECT_TRUE(contains("10.1.2.0/23", "10.1.3.255"));
  EXPECT_FALSE(contains("10.1.2.0/23", "10.1.4.0"));
  EXPECT_TRUE(contains("192.0.2.7", "192.0.2.7"));
  EXPECT_FALSE(contains("192.0.2.7", "192.0.2.8"));
  EXPECT_TRUE(contains("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(contains("2001:db8::/33", "2001:db8:8000::1"));
}

TEST(Network, AnIpv4MappedAddressCountsAsIpv4) {
  EXPECT_TRUE(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
  EXPECT_TRUE(contains("::ffff:10.0.0.0/104", "10.1.2.3"));
  EXPECT_EQ(Network::parse("::ffff:10.0.0.0/104")->text(), "10.0.0.0/8");
}

TEST(Network, EveryIpv6AddressIsNoIpv4Address) {
  EXPECT_TRUE(contains("::/0", "2001:db8::1"));
  EXPECT_FALSE(contains("::/0", "192.0.2.1"));
  EXPECT_FALSE(contains("::/0", "::ffff:192.0.2.1"));
  EXPECT_TRUE(contains("0.0.0.0/0", "192.0.2.1"));
  EXPECT_FALSE(contains("0.0.0.0/0", "2001:db8::1"));
}

TEST(Network, ALinkLocalPeerMayNameItsInterface) {
  EXPECT_TRUE(contains("fe80::/10", "fe80::1%eth0"));
}

TEST(Network, TextThatIsNoAddressIsInNoNetwork) {
  for (const char* const text : {"", "unix", "localhost", "127.1", "1.2.3.4.5", "::1/128", "127.0.0.1 "}) {
    EXPECT_FALSE(contains("0.0.0.0/0", text)) << text;
    EXPECT_FALSE(contains("::/0", text)) << text;
  }
}

TEST(Network, RefusesWhatIsNoNetwork) {
  for (const char* const text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "::/129",
                                 "example.com", "10.0.0/8", "010.0.0.1", "10.0.0.0/8/8", "fe80::1%eth0"})
    EXPECT_FALSE(Network::parse(text).ok()) << text;
}

TEST(Network, BitsBehindThePrefixAreRefusedWithTheNetworkThatWasMeant) {
  const Result<Network> network = Network::parse("10.1.2.3/8");
  ASSERT_FALSE(network.ok());
  EXPECT_EQ(network.error(), "'10.1.2.3/8' has bits set after its prefix; the network is 10.0.0.0/8");
}

TEST(Network, TextIsTheShortForm) {
  for (const char* const text : {"127.0.0.0/8", "192.0.2.1", "0.0.0.0/0", "::1", "2001:db8::/32", "::/0"})
    EXPECT_EQ(Network::parse(text)->text(), text);
}

TEST(Network, IsLoopbackOnlyWhenEveryAddressOfItIs) {
  for (const char* const text : {"127.0.0.0/8", "127.0.0.53", "::1", "::ffff:127.0.0.1"})
    EXPECT_TRUE(Network::parse(text)->is_loopback()) << text;
  for (const char* const text :
       {"126.0.0.0/7", "::ffff:0.0.0.0/96", "0.0.0.0/0", "::/127", "::/0", "10.0.0.1", "::2"})
    EXPECT_FALSE(Network::parse(text)->is_loopback()) << text;
}

}  // namespace
}  // namespace relayd::config
