// Line: whose message is next.
#include "send/line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::send {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

std::vector<std::uint64_t> drain(Line& line, std::size_t count = std::string::npos) {
  std::vector<std::uint64_t> order;
  while (order.size() < count) {
    const std::optional<Ticket> ticket = line.pop();
    if (!ticket) break;
    order.push_back(ticket->message);
  }
  return order;
}

TEST(Line, OneSendersMessagesLeaveInTheirOrder) {
  Line line;
  for (std::uint64_t message = 1; message <= 4; ++message) line.push("ann@example.com", {message, 1});
  EXPECT_EQ(line.size(), 4U);
  EXPECT_THAT(drain(line), ElementsAre(1, 2, 3, 4));
  EXPECT_TRUE(line.empty());
}

TEST(Line, SendersTakeTurns) {
  Line line;
  for (std::uint64_t message = 1; message <= 3; ++message) line.push("ann@example.com", {message, 1});
  for (std::uint64_t message = 11; message <= 13; ++message) line.push("bob@example.com", {message, 1});
  EXPECT_THAT(drain(line), ElementsAre(1, 11, 2, 12, 3, 13));
}

TEST(Line, AHundredThousandNewslettersDoNotDelayAPasswordReset) {
  Line line;
  for (std::uint64_t message = 1; message <= 100'000; ++message) line.push("news@example.com", {message, 1});
  drain(line, 500);
  line.push("accounts@example.com", {1'000'000, 1});
  EXPECT_THAT(drain(line, 2), testing::Contains(1'000'000));
  EXPECT_EQ(line.size(), 100'000U - 501U);
}

TEST(Line, TurnsAreCountedInRecipients) {
  Line line;
  for (std::uint64_t message = 1; message <= 3; ++message) line.push("news@example.com", {message, 50});
  for (std::uint64_t message = 11; message <= 30; ++message) line.push("bob@example.com", {message, 10});
  EXPECT_THAT(drain(line, 8), ElementsAre(1, 11, 12, 13, 14, 15, 2, 16));
}

TEST(Line, WhoComesBackHasSavedUpNothing) {
  Line line;
  line.push("ann@example.com", {1, 1});
  drain(line);
  for (std::uint64_t message = 11; message <= 13; ++message) line.push("bob@example.com", {message, 1});
  drain(line, 2);
  line.push("ann@example.com", {2, 1});
  line.push("ann@example.com", {3, 1});
  EXPECT_THAT(drain(line), ElementsAre(2, 13, 3));
}

TEST(Line, ASliceIsChargedAsASlice) {
  Line line;
  line.push("news@example.com", {1, 5'000});
  line.push("bob@example.com", {11, 1});
  line.push("bob@example.com", {12, 1});
  EXPECT_EQ(line.pop(2)->recipients, 2U);
  line.push("news@example.com", {1, 4'998});
  EXPECT_THAT(drain(line, 3), ElementsAre(11, 12, 1));
}

TEST(Line, WhatWasChargedCountsWhenTheRestComesBack) {
  Line line;
  line.push("news@example.com", {1, 100});
  EXPECT_EQ(line.pop(50)->message, 1U);
  for (std::uint64_t message = 11; message <= 13; ++message) line.push("bob@example.com", {message, 20});
  line.push("news@example.com", {1, 50});
  EXPECT_THAT(drain(line), ElementsAre(11, 12, 13, 1));
}

TEST(Line, WhatWasChargedIsForgottenWhenOthersHadAsMuch) {
  Line line;
  line.push("news@example.com", {1, 50});
  drain(line);
  for (std::uint64_t message = 11; message <= 16; ++message) line.push("bob@example.com", {message, 20});
  drain(line, 4);
  line.push("news@example.com", {2, 50});
  EXPECT_THAT(drain(line), ElementsAre(2, 15, 16));
}

TEST(Line, GivesAllBack) {
  Line line;
  line.push("ann@example.com", {1, 1});
  line.push("bob@example.com", {2, 1});
  line.push("ann@example.com", {3, 1});
  std::vector<std::uint64_t> all;
  for (const Ticket& ticket : line.take_all()) all.push_back(ticket.message);
  EXPECT_THAT(all, UnorderedElementsAre(1, 2, 3));
  EXPECT_TRUE(line.empty());
  EXPECT_EQ(line.pop(), std::nullopt);
}

}  // namespace
}  // namespace relayd::send
