// Line: whose message is next.
#include "send/line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace relayd::send {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

class LineTest : public testing::Test {
 protected:
  void push(const std::string& sender, Ticket ticket) {
    recipients[ticket.message] = ticket.recipients;
    line.push(sender, ticket.message);
  }
  std::optional<Ticket> pop(std::uint64_t most = ~std::uint64_t{0}) {
    return line.pop(most, [this](std::uint64_t message) { return recipients[message]; });
  }
  std::vector<std::uint64_t> drain(std::size_t count = std::string::npos) {
    std::vector<std::uint64_t> order;
    while (order.size() < count) {
      const std::optional<Ticket> ticket = pop();
      if (!ticket) break;
      order.push_back(ticket->message);
    }
    return order;
  }

  std::map<std::uint64_t, std::uint32_t> recipients;  // of each message; 0: it has gone
  Line line;
};

TEST_F(LineTest, OneSendersMessagesLeaveInTheirOrder) {
  for (std::uint64_t message = 1; message <= 4; ++message) push("ann@example.com", {message, 1});
  EXPECT_EQ(line.size(), 4U);
  EXPECT_THAT(drain(), ElementsAre(1, 2, 3, 4));
  EXPECT_TRUE(line.empty());
}

TEST_F(LineTest, SendersTakeTurns) {
  for (std::uint64_t message = 1; message <= 3; ++message) push("ann@example.com", {message, 1});
  for (std::uint64_t message = 11; message <= 13; ++message) push("bob@example.com", {message, 1});
  EXPECT_THAT(drain(), ElementsAre(1, 11, 2, 12, 3, 13));
}

TEST_F(LineTest, AHundredThousandNewslettersDoNotDelayAPasswordReset) {
  for (std::uint64_t message = 1; message <= 100'000; ++message) push("news@example.com", {message, 1});
  drain(500);
  push("accounts@example.com", {1'000'000, 1});
  EXPECT_THAT(drain(2), testing::Contains(1'000'000));
  EXPECT_EQ(line.size(), 100'000U - 501U);
}

TEST_F(LineTest, TurnsAreCountedInRecipients) {
  for (std::uint64_t message = 1; message <= 3; ++message) push("news@example.com", {message, 50});
  for (std::uint64_t message = 11; message <= 30; ++message) push("bob@example.com", {message, 10});
  EXPECT_THAT(drain(8), ElementsAre(1, 11, 12, 13, 14, 15, 2, 16));
}

TEST_F(LineTest, WhoComesBackHasSavedUpNothing) {
  push("ann@example.com", {1, 1});
  drain();
  for (std::uint64_t message = 11; message <= 13; ++message) push("bob@example.com", {message, 1});
  drain(2);
  push("ann@example.com", {2, 1});
  push("ann@example.com", {3, 1});
  EXPECT_THAT(drain(), ElementsAre(2, 13, 3));
}

TEST_F(LineTest, ASliceIsChargedAsASlice) {
  push("news@example.com", {1, 5'000});
  push("bob@example.com", {11, 1});
  push("bob@example.com", {12, 1});
  EXPECT_EQ(pop(2)->recipients, 2U);
  push("news@example.com", {1, 4'998});
  EXPECT_THAT(drain(3), ElementsAre(11, 12, 1));
}

TEST_F(LineTest, WhatWasChargedCountsWhenTheRestComesBack) {
  push("news@example.com", {1, 100});
  EXPECT_EQ(pop(50)->message, 1U);
  for (std::uint64_t message = 11; message <= 13; ++message) push("bob@example.com", {message, 20});
  push("news@example.com", {1, 50});
  EXPECT_THAT(drain(), ElementsAre(11, 12, 13, 1));
}

TEST_F(LineTest, WhatWasChargedIsForgottenWhenOthersHadAsMuch) {
  push("news@example.com", {1, 50});
  drain();
  for (std::uint64_t message = 11; message <= 16; ++message) push("bob@example.com", {message, 20});
  drain(4);
  push("news@example.com", {2, 50});
  EXPECT_THAT(drain(), ElementsAre(2, 15, 16));
}

TEST_F(LineTest, WhoHasGoneIsNotCharged) {
  for (std::uint64_t message = 1; message <= 3; ++message) push("ann@example.com", {message, 1});
  push("bob@example.com", {11, 1});
  recipients[1] = recipients[2] = 0;
  EXPECT_THAT(drain(), ElementsAre(3, 11));
}

// One call ends after some hundreds of them: a million that were deleted do not stop the loop.
TEST_F(LineTest, ManyWhoHaveGoneTakeManyCalls) {
  for (std::uint64_t message = 1; message <= 2'000; ++message) push("ann@example.com", {message, 0});
  push("ann@example.com", {9'999, 1});
  int calls = 0;
  std::optional<Ticket> ticket;
  for (; !ticket && !line.empty(); ++calls) ticket = pop();
  EXPECT_EQ(ticket->message, 9'999U);
  EXPECT_GT(calls, 2);
}

TEST_F(LineTest, GivesAllBack) {
  push("ann@example.com", {1, 1});
  push("bob@example.com", {2, 1});
  push("ann@example.com", {3, 1});
  EXPECT_THAT(line.take_all(), UnorderedElementsAre(1, 2, 3));
  EXPECT_TRUE(line.empty());
  EXPECT_EQ(pop(), std::nullopt);
}

}  // namespace
}  // namespace relayd::send
