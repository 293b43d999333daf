#include "shared/base/ip_kind.hpp"

#include <gtest/gtest.h>

namespace relayd {
namespace {

TEST(IpKind, IsThatOfItsNetwork) {
  const struct {
    const char* address;
    IpKind kind;
  } cases[] = {
      {"192.0.2.1", IpKind::open},
      {"9.255.255.255", IpKind::open},
      {"11.0.0.0", IpKind::open},
      {"172.15.255.255", IpKind::open},
      {"172.32.0.0", IpKind::open},
      {"100.63.255.255", IpKind::open},
      {"100.128.0.0", IpKind::open},
      {"192.167.255.255", IpKind::open},
      {"192.169.0.0", IpKind::open},
      {"126.255.255.255", IpKind::open},
      {"128.0.0.0", IpKind::open},
      {"223.255.255.255", IpKind::open},
      {"2a00:1450::1", IpKind::open},
      {"fb00::1", IpKind::open},
      {"10.0.0.0", IpKind::inside},
      {"10.255.255.255", IpKind::inside},
      {"100.64.0.0", IpKind::inside},
      {"100.127.255.255", IpKind::inside},
      {"172.16.0.1", IpKind::inside},
      {"172.31.255.255", IpKind::inside},
      {"192.168.1.1", IpKind::inside},
      {"198.19.0.1", IpKind::inside},
      {"fc00::1", IpKind::inside},
      {"fdff::1", IpKind::inside},
      {"fec0::1", IpKind::inside},
      {"64:ff9b:1::a00:1", IpKind::inside},
      {"127.0.0.1", IpKind::loopback},
      {"127.255.255.255", IpKind::loopback},
      {"::1", IpKind::loopback},
      {"0.0.0.0", IpKind::never},
      {"0.1.2.3", IpKind::never},
      {"169.254.169.254", IpKind::never},
      {"169.253.255.255", IpKind::open},
      {"169.255.0.0", IpKind::open},
      {"100.100.100.200", IpKind::never},
      {"168.63.129.16", IpKind::never},
      {"192.0.0.192", IpKind::never},
      {"224.0.0.1", IpKind::never},
      {"240.0.0.1", IpKind::never},
      {"255.255.255.255", IpKind::never},
      {"::", IpKind::never},
      {"fe80::1", IpKind::never},
      {"fe80::1%eth0", IpKind::never},
      {"febf::1", IpKind::never},
      {"ff02::1", IpKind::never},
      {"fd00:ec2::254", IpKind::never},
      {"fd20:ce::254", IpKind::never},
      {"2001:0:4136:e378::1", IpKind::never},
  };
  for (const auto& [address, kind] : cases) EXPECT_EQ(ip_kind(address), kind) << address;
}

TEST(IpKind, IsThatOfTheIpv4AddressInside) {
  for (const char* form : {"::ffff:", "::ffff:0:", "64:ff9b::", "::"}) {
    const std::string prefix = form;
    EXPECT_EQ(ip_kind(prefix + "169.254.169.254"), IpKind::never) << form;
    EXPECT_EQ(ip_kind(prefix + "10.0.0.1"), IpKind::inside) << form;
    EXPECT_EQ(ip_kind(prefix + "127.0.0.1"), IpKind::loopback) << form;
    EXPECT_EQ(ip_kind(prefix + "192.0.2.1"), IpKind::open) << form;
  }
  EXPECT_EQ(ip_kind("64:ff9b::a9fe:a9fe"), IpKind::never);
  EXPECT_EQ(ip_kind("2002:a9fe:a9fe::1"), IpKind::never);
  EXPECT_EQ(ip_kind("2002:7f00:1::"), IpKind::loopback);
  EXPECT_EQ(ip_kind("2002:c000:201::1"), IpKind::open);
}

TEST(IpKind, IsOfNothingButWholeAddresses) {
  for (const char* text : {"", "localhost", "127.1", "0x7f.0.0.1", "0177.0.0.1", "2130706433", "1.2.3.4.5",
                           "[::1]", "::1::", "1.2.3.256", " 1.2.3.4"})
    EXPECT_EQ(ip_kind(text), std::nullopt) << text;
  EXPECT_EQ(ip_kind(std::string_view("127.0.0.1\0x", 11)), std::nullopt);
}

}  // namespace
}  // namespace relayd
