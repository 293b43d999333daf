#include "shared/mail/address.hpp"

#include <gtest/gtest.h>

namespace relayd::mail {
namespace {

void expect_split(std::string_view address, std::string_view local_part, std::string_view domain) {
  const Parts parts = split(address);
  EXPECT_EQ(parts.local_part, local_part) << address;
  EXPECT_EQ(parts.domain, domain) << address;
}

TEST(Address, SplitsAtTheLastUnquotedAt) {
  expect_split("a@b", "a", "b");
  expect_split("\"a@b\"@c", "\"a@b\"", "c");
  expect_split("\"a\\\"@b\"@c", "\"a\\\"@b\"", "c");
  expect_split("a", "a", "");
  expect_split("", "", "");
  expect_split("\"a@b\"", "\"a@b\"", "");
  expect_split("\"a@b", "\"a@b", "");
}

TEST(Address, FoldsForComparing) {
  EXPECT_EQ(folded_domain("A@Example.COM"), "example.com");
  EXPECT_EQ(folded_domain("ann@B\xc3\xbc"
                          "cher.Example"),
            "xn--bcher-kva.example");
  EXPECT_EQ(folded_domain("postmaster"), "");
}

TEST(Address, TagIsTakenFromTheLocalPartOnly) {
  EXPECT_EQ(without_tag("a+b+c@d+e"), "a@d+e");
  EXPECT_EQ(without_tag("a@d+e"), "a@d+e");
  EXPECT_EQ(without_tag("+b@d"), "+b@d");
  EXPECT_EQ(without_tag("\"a+b\"@d"), "\"a+b\"@d");
  EXPECT_EQ(without_tag("a+b"), "a");
}

TEST(Address, Faults) {
  EXPECT_EQ(check_address("a@b", false), AddressFault::none);
  EXPECT_EQ(check_address("", false), AddressFault::syntax);
  EXPECT_EQ(check_address("a b@c", false), AddressFault::syntax);
  EXPECT_EQ(check_address("\"a\nb\"@c", false), AddressFault::syntax);
  EXPECT_EQ(check_address(std::string(65, 'a') + "@c", false), AddressFault::too_long);
  EXPECT_EQ(check_address("\xc3\xa9@c", false), AddressFault::needs_utf8);
  EXPECT_EQ(check_address("\xc3\xa9@c", true), AddressFault::none);
  EXPECT_EQ(check_address("\xc3@c", true), AddressFault::bad_unicode);
  EXPECT_EQ(check_address("a@BÜCHER.example", true), AddressFault::none);
  EXPECT_EQ(check_address("a@i\u2764.example", true), AddressFault::bad_domain);
}

TEST(Address, AMissingDomainIsTheOrigins) {
  EXPECT_EQ(qualified("root", "example.com"), "root@example.com");
  EXPECT_EQ(qualified("\"a@b\"", "example.com"), "\"a@b\"@example.com");
  EXPECT_EQ(qualified("ann@example.org", "example.com"), "ann@example.org");
  EXPECT_EQ(qualified("", "example.com"), "");  // the null path
  EXPECT_EQ(qualified("root", ""), "root");
}

}  // namespace
}  // namespace relayd::mail
