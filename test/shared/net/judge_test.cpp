#include "shared/net/judge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shared/async/stream.hpp"

namespace relayd::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Empty: it may be dialled.
std::string refusal(const std::string& host, const std::vector<std::string>& found,
                    bool private_networks = false) {
  try {
    judge(host, found, private_networks);
    return "";
  } catch (const async::IoError& error) {
    EXPECT_EQ(error.fault(), async::IoFault::unreachable);
    return error.what();
  }
}

TEST(Judge, LeavesOutWhatIsPrivate) {
  EXPECT_THAT(judge("hooks.example", {"10.0.0.1", "192.0.2.1", "::1", "2a00::1", "fe80::1%eth0"}, false),
              ElementsAre("192.0.2.1", "2a00::1"));
  EXPECT_THAT(judge("hooks.example", {"10.0.0.1", "169.254.169.254", "192.0.2.1"}, true),
              ElementsAre("10.0.0.1", "192.0.2.1"));
}

TEST(Judge, SaysWhatToWriteForAPrivateName) {
  EXPECT_EQ(refusal("hooks.internal", {"10.0.0.1"}),
            "hooks.internal has only the private address 10.0.0.1: say `private: true` if that is meant");
  EXPECT_EQ(refusal("hooks.internal", {"169.254.1.1", "127.0.0.1"}),
            "hooks.internal has only the loopback address 127.0.0.1: say `private: true` if that is meant");
  EXPECT_EQ(refusal("hooks.internal", {"10.0.0.1"}, true), "");
  EXPECT_EQ(refusal("hooks.internal", {"127.0.0.1"}, true), "");
}

TEST(Judge, AllowsTheAddressThatWasWritten) {
  for (const char* literal : {"10.0.0.1", "127.0.0.1", "::1", "fc00::1", "::ffff:10.0.0.1", "192.0.2.1"})
    EXPECT_EQ(refusal(literal, {literal}), "") << literal;
  EXPECT_THAT(refusal("10.0.0.1", {"10.0.0.2"}), HasSubstr("only the private address 10.0.0.2"));
  EXPECT_EQ(refusal("localhost", {"::1", "127.0.0.1"}), "");
}

TEST(Judge, GivesLocalhostNoMoreThanLoopback) {
  EXPECT_THAT(refusal("localhost", {"10.0.0.1"}), HasSubstr("private address 10.0.0.1"));
  EXPECT_THAT(refusal("a.localhost", {"127.0.0.1"}), HasSubstr("loopback address 127.0.0.1"));
}

TEST(Judge, NeverAllowsMetadata) {
  for (const char* literal :
       {"169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::", "fd00:ec2::254", "fe80::1", "0.0.0.0", "::", "224.0.0.1", "255.255.255.255"}) {
    EXPECT_THAT(refusal(literal, {literal}, true), HasSubstr("nothing is sent there")) << literal;
    EXPECT_THAT(refusal("hooks.example", {literal}, true),
                HasSubstr("hooks.example has only the address " + std::string(literal)));
  }
  EXPECT_NE(refusal("hooks.example", {"no address"}, true), "");
}

TEST(Judge, AsksTheAnswerAtHand) {
  EXPECT_EQ(refusal("hooks.example", {"192.0.2.1"}), "");
  EXPECT_NE(refusal("hooks.example", {"127.0.0.1"}), "");
}

}  // namespace
}  // namespace relayd::net
