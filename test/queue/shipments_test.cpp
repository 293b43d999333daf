// How the recipients of a message part into shipments, and come together again.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "queue/index.hpp"

namespace relayd::queue {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

constexpr auto pending = RecipientState::pending;
constexpr auto delivered = RecipientState::delivered;
constexpr auto failed = RecipientState::failed;
constexpr auto doubtful = RecipientState::doubtful;

class ShipmentsTest : public testing::Test {
 protected:
  Entry& add(std::size_t recipients) {
    envelope.recipients.resize(recipients);
    return index.add({1}, {}, envelope, {1, 0}, 100, now);
  }

  // "recipients: state, attempts, doubts at whom, due in seconds", a line each, sorted.
  static std::vector<std::string> shipments(const Entry& entry) {
    std::vector<std::string> lines;
    entry.for_each_shipment([&](const Shipment& shipment) {
      std::string line;
      for (const std::uint32_t each : entry.recipients_of(shipment)) line += fmt::format("{} ", each);
      line += fmt::format("{} {}", to_string(shipment.state), shipment.attempts);
      if (shipment.in_doubt()) line += fmt::format(" {}x{}", shipment.doubts, shipment.doubted);
      if (shipment.state == MessageState::waiting)
        line += fmt::format(" {}s",
                            std::chrono::round<std::chrono::seconds>(shipment.due - SteadyTime()).count());
      lines.push_back(line);
    });
    std::ranges::sort(lines);
    return lines;
  }

  void take(Shipment& shipment) {
    index.set_timeless(shipment, MessageState::ready);
    shipment.counted = shipment.whole = false;
  }

  // What became of some; the next attempt is in so many seconds.
  bool settle(Entry& entry, const std::vector<RecipientOutcome>& recipients, int wait, bool counted = false) {
    Outcome outcome;
    outcome.upstream = "office";
    outcome.recipients = recipients;
    outcome.next_attempt = now.wall + std::chrono::seconds(wait);
    outcome.when = now.wall;
    return index.apply(entry, outcome, counted, 1h, now);
  }
  static RecipientOutcome now_is(std::uint32_t recipient, RecipientState state) {
    return {recipient, state, 0, {}};
  }

  Index index;
  Envelope envelope;
  const Clock now{};
};

TEST_F(ShipmentsTest, WhoHadNoAttemptIsDueAtOnceAndTheOthersAtTheirTime) {
  Entry& entry = add(4);
  take(entry.first);
  EXPECT_TRUE(settle(entry, {now_is(0, delivered), now_is(1, pending)}, 60));
  EXPECT_THAT(shipments(entry), ElementsAre("1 waiting 1 60s", "2 3 waiting 0 0s"));
}

TEST_F(ShipmentsTest, DoubtPartsThoseWhomItIsAbout) {
  Entry& entry = add(3);
  take(entry.first);
  index.mark_in_doubt(entry.first, "office", std::vector<std::uint32_t>{0, 1});
  EXPECT_TRUE(settle(entry, {now_is(0, doubtful), now_is(1, delivered), now_is(2, pending)}, 60, true));
  EXPECT_THAT(shipments(entry), ElementsAre("0 waiting 1 1xoffice 60s", "2 waiting 1 60s"));
}

// Those who may go on at once do, and those in doubt keep the time that is on disk for them.
TEST_F(ShipmentsTest, DoubtKeepsItsTime) {
  Entry& entry = add(2);
  take(entry.first);
  index.mark_in_doubt(entry.first, "office", std::vector<std::uint32_t>{0});
  entry.first.due = now.now + 90s;
  EXPECT_TRUE(settle(entry, {now_is(0, doubtful), now_is(1, pending)}, 0, true));
  EXPECT_THAT(shipments(entry), ElementsAre("0 waiting 1 1xoffice 90s", "1 waiting 1 0s"));
}

TEST_F(ShipmentsTest, AnAttemptForSomeLeavesTheDoubtOfTheOthers) {
  Entry& entry = add(2);
  take(entry.first);
  index.mark_in_doubt(entry.first, "office", std::vector<std::uint32_t>{0, 1});
  EXPECT_TRUE(settle(entry, {now_is(0, doubtful), now_is(1, doubtful)}, 60, true));
  take(entry.first);
  index.mark_in_doubt(entry.first, "office", std::vector<std::uint32_t>{0});
  EXPECT_TRUE(settle(entry, {now_is(0, doubtful)}, 120, true));
  EXPECT_THAT(shipments(entry), ElementsAre("0 waiting 2 2xoffice 120s", "1 waiting 1 1xoffice 0s"));
}

// Refused for now at RCPT, while the others were taken and no reply came: nothing new is in doubt for it.
TEST_F(ShipmentsTest, WhoWasNotMarkedStaysInItsEarlierDoubt) {
  Entry& entry = add(3);
  take(entry.first);
  index.mark_in_doubt(entry.first, "office", std::vector<std::uint32_t>{0, 1, 2});
  EXPECT_TRUE(settle(entry, {now_is(0, doubtful), now_is(1, doubtful), now_is(2, doubtful)}, 60, true));
  take(entry.first);
  index.mark_in_doubt(entry.first, "backup", std::vector<std::uint32_t>{0});
  EXPECT_THAT(index.summary_of(entry, now).others.front().doubted, "office");
  EXPECT_TRUE(settle(entry, {now_is(0, delivered), now_is(1, doubtful)}, 60, true));
  EXPECT_THAT(shipments(entry), ElementsAre("1 waiting 2 1xoffice 60s", "2 waiting 1 1xoffice 0s"));
}

TEST_F(ShipmentsTest, AnOutcomeThatNamesSomebodyTwiceEndsWithTheLastWord) {
  Entry& entry = add(2);
  take(entry.first);
  EXPECT_TRUE(
      settle(entry, {now_is(0, pending), now_is(0, delivered), now_is(1, pending), now_is(1, pending)}, 60));
  EXPECT_THAT(shipments(entry), ElementsAre("1 waiting 1 60s"));
}

TEST_F(ShipmentsTest, ADoubtAboutThoseWhoHaveEndedChangesNothing) {
  Entry& entry = add(2);
  EXPECT_TRUE(settle(entry, {now_is(0, delivered)}, 60));
  const std::vector<std::string> before = shipments(entry);
  index.apply(entry, Doubt{"office", {0}, {}}, now.now + 60s);
  EXPECT_EQ(shipments(entry), before);
}

TEST_F(ShipmentsTest, NobodyIsHeldWhoWasNot) {
  Entry& entry = add(2);
  take(entry.first);
  index.mark_in_doubt(entry.first, "office", std::vector<std::uint32_t>{0, 1});
  EXPECT_TRUE(settle(entry, {now_is(0, doubtful), now_is(1, doubtful)}, 60, true));
  index.hold(entry);
  index.not_taken(index.part(entry, {1}), now);
  take(entry.shipment_of(1));
  EXPECT_TRUE(settle(entry, {now_is(1, pending)}, 60));
  EXPECT_THAT(shipments(entry), ElementsAre("0 held 1 1xoffice", "1 waiting 2 60s"));
}

TEST_F(ShipmentsTest, WhatWaitsAlikeGoesTogether) {
  Entry& entry = add(6);
  for (std::uint32_t i = 0; i < 6; ++i) {
    take(*index.find(i < 5 ? ShipmentId({1}, 0) : entry.shipment_of(5).id));
    EXPECT_TRUE(settle(entry, {now_is(i, pending)}, i < 3 ? 60 + static_cast<int>(i) : 200));
  }
  EXPECT_THAT(shipments(entry), ElementsAre("0 1 2 waiting 1 62s", "3 4 5 waiting 1 200s"));
}

TEST_F(ShipmentsTest, WhatStandsInALineStaysByItself) {
  Entry& entry = add(2);
  take(entry.first);
  EXPECT_TRUE(settle(entry, {now_is(0, pending)}, 60));
  entry.shipment_of(0).line = 7;
  take(entry.first);
  EXPECT_TRUE(settle(entry, {now_is(1, pending)}, 60));
  EXPECT_THAT(shipments(entry), ElementsAre("0 waiting 1 60s", "1 waiting 1 60s"));
}

TEST_F(ShipmentsTest, TheMessageEndsWithTheLastOfThem) {
  Entry& entry = add(2);
  take(entry.first);
  EXPECT_TRUE(settle(entry, {now_is(0, failed)}, 60));
  EXPECT_EQ(entry.state, MessageState::waiting);
  take(entry.first);
  EXPECT_TRUE(settle(entry, {now_is(1, delivered)}, 60));
  EXPECT_EQ(entry.state, MessageState::failed);
  index.retry(entry, now, {});
  EXPECT_THAT(shipments(entry), ElementsAre("0 waiting 1 0s"));
  take(entry.first);
  EXPECT_FALSE(settle(entry, {now_is(0, delivered)}, 60));
}

TEST_F(ShipmentsTest, AMessageIsReadyIfAShipmentIsElseWaitingElseHeld) {
  Entry& entry = add(3);
  take(entry.first);
  EXPECT_TRUE(settle(entry, {now_is(0, pending)}, 60));
  index.hold(entry.shipment_of(0));
  EXPECT_EQ(entry.state, MessageState::waiting);
  take(entry.first);
  EXPECT_EQ(entry.state, MessageState::ready);
  EXPECT_EQ(index.totals().ready, 1U);
  EXPECT_TRUE(settle(entry, {now_is(1, delivered), now_is(2, delivered)}, 0));
  EXPECT_EQ(entry.state, MessageState::held);
  EXPECT_EQ(index.totals().held, 1U);
  EXPECT_EQ(index.totals().ready + index.totals().waiting, 0U);
}

TEST_F(ShipmentsTest, AnAttemptForAllOfThemPartsNobody) {
  Entry& entry = add(3);
  Outcome outcome;
  outcome.recipients = {now_is(0, pending)};
  EXPECT_TRUE(index.parts(entry.first, outcome));
  outcome = index.of_all(entry.first, outcome);
  EXPECT_FALSE(index.parts(entry.first, outcome));
  EXPECT_EQ(outcome.recipients.size(), 3U);
  outcome.recipients[0].state = doubtful;
  EXPECT_TRUE(index.parts(entry.first, outcome));
  outcome = index.of_all(entry.first, outcome);
  EXPECT_FALSE(index.parts(entry.first, outcome));
  EXPECT_EQ(outcome.recipients[2].state, doubtful);
}

TEST_F(ShipmentsTest, AMessageHasNoMoreShipmentsThanThereAreNumbers) {
  Entry& entry = add(2000);
  for (std::uint32_t i = 0; i < 2000; ++i)
    EXPECT_TRUE(settle(entry, {now_is(i, pending)}, 100 * static_cast<int>(i)));
  EXPECT_FALSE(Index::may_part(entry));
  std::size_t count = 0;
  entry.for_each_shipment([&count](const Shipment&) { ++count; });
  EXPECT_EQ(count, 512U);
  EXPECT_EQ(entry.unsent(), 2000U);
  EXPECT_EQ(index.state_need(), Index::state_need(0, 2000, 512));
  index.erase(entry);
  EXPECT_EQ(index.state_need(), 0U);
  EXPECT_EQ(index.next(), nullptr);
}

TEST_F(ShipmentsTest, ASummaryKnowsThemAll) {
  Entry& entry = add(6);
  take(entry.first);
  EXPECT_TRUE(settle(entry, {now_is(0, pending), now_is(1, failed)}, 60));
  take(entry.first);
  index.mark_in_doubt(entry.first, "office", std::vector<std::uint32_t>{2});
  EXPECT_TRUE(settle(entry, {now_is(2, doubtful)}, 70, true));
  index.hold(entry.shipment_of(2));
  take(entry.first);  // and a slice of the others is under way
  index.mark_in_doubt(entry.first, "backup", std::vector<std::uint32_t>{3, 4});
  entry.first.due = now.now + 80s;
  const std::string record = encode_summary({1}, index.summary_of(entry, now));
  std::string sealed = record;
  seal(sealed, 5, 0);
  const std::optional<Summary> summary = decode_summary(*parse_record(sealed, 5));
  ASSERT_TRUE(summary);
  Index other;
  const Entry& back = other.add({1}, *summary, {1, 0}, now);
  EXPECT_THAT(shipments(back), ElementsAre("0 waiting 1 60s", "2 held 1 1xoffice",
                                           "3 4 waiting 1 1xbackup 80s", "5 waiting 0 0s"));
  EXPECT_EQ(back.states.get(1), failed);
}

// Before there were shipments, doubt and attempts were the message's.
TEST_F(ShipmentsTest, AMessageThatIsInDoubtInPartComesBackParted) {
  Summary summary;
  summary.states = {doubtful, pending, delivered};
  summary.doubted = "office";
  summary.doubts = 2;
  summary.attempts = 3;
  summary.next = now.wall + 60s;
  summary.when = now.wall;
  const Entry& back = index.add({1}, summary, {1, 0}, now);
  EXPECT_THAT(shipments(back), ElementsAre("0 waiting 3 2xoffice 60s", "1 waiting 3 60s"));
}

// A start applies the same records; some of its shipments go together that did not, as nobody has them.
TEST_F(ShipmentsTest, ADoubtIsAboutItsRecipientsAtAStart) {
  Entry& entry = add(3);
  index.apply(entry, Doubt{"office", {1}, {}}, now.now + 60s);
  EXPECT_THAT(shipments(entry), ElementsAre("0 2 waiting 0 0s", "1 waiting 1 1xoffice 60s"));
  EXPECT_TRUE(settle(entry, {now_is(0, pending), now_is(1, doubtful)}, 70, true));
  EXPECT_THAT(shipments(entry), ElementsAre("0 waiting 1 70s", "1 waiting 1 1xoffice 70s", "2 waiting 0 0s"));
}

}  // namespace
}  // namespace relayd::queue
