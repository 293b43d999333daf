// DraftIncoming over a real queue: what stands on disk once a message was taken, and what is not taken.
#include "relay/incoming.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "queue/queue_fixture.hpp"
#include "support/quiet_log.hpp"

namespace relayd {
namespace {

using queue::MessageId;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* complete =
    "From: Ann <ann@example.com>\r\nDate: Fri, 20 Nov 2026 06:40:46 +0000\r\nMessage-ID: <1@example.com>\r\n"
    "\r\ntext\r\n";

class IncomingTest : public test::QueueFixture {
 protected:
  mail::Envelope envelope(const std::string& sender = "ann@example.com") const {
    mail::Envelope result;
    result.sender = sender;
    result.recipients.push_back({"bob@example.org", "", ""});
    return result;
  }

  // The message in pieces of so many octets; its id, or the code of the refusal.
  std::string take(const std::string& message, const mail::Envelope& envelope, std::size_t piece = 1000) {
    const accept::ClientFacts facts{"192.0.2.7", "127.0.0.1:25", "client.example.org",
                                    true,        "TLSv1.3",      "ann"};
    auto check = [this](const std::string& sender) {
      checked_ = sender;
      return route_refusal_;
    };
    DraftIncoming incoming(loop, log_, *queue, facts, envelope, "mail.example.com", check);
    try {
      return run_task(give(incoming, message, piece), &loop);
    } catch (const accept::Refused& refused) {
      return std::to_string(refused.reply.code);
    }
  }

  static async::Task<std::string> give(DraftIncoming& incoming, std::string_view message, std::size_t piece) {
    while (!message.empty()) {
      const std::string_view taken = message.substr(0, piece);
      message.remove_prefix(taken.size());
      const bool full = incoming.append(taken);
      if (full) co_await incoming.flush();
    }
    std::string id = co_await incoming.commit();
    co_return id;
  }

  queue::Content stored(const std::string& id) { return read(*queue::parse_message_id(id)); }
  std::size_t messages() const { return queue->totals().waiting + queue->totals().ready; }

  test::QuietLog log_;
  std::string checked_;
  std::optional<smtp::Reply> route_refusal_;
};

TEST_F(IncomingTest, OurReceivedFieldStandsOnTopOfAnUntouchedMessage) {
  const std::string id = take(complete, envelope());
  const std::string body = stored(id).body;
  EXPECT_THAT(body, StartsWith("Received: from client.example.org"));
  EXPECT_THAT(body, HasSubstr("192.0.2.7"));
  EXPECT_THAT(body, HasSubstr("by mail.example.com"));
  EXPECT_THAT(body, HasSubstr("ESMTPSA"));
  EXPECT_THAT(body, HasSubstr("id " + id));
  EXPECT_THAT(body, HasSubstr("for <bob@example.org>"));
  ASSERT_GT(body.size(), std::string_view(complete).size());
  EXPECT_EQ(body.substr(body.size() - std::string_view(complete).size()), complete);
}

TEST_F(IncomingTest, SeveralRecipientsAreNotShownToEachOther) {
  mail::Envelope two = envelope();
  two.recipients.push_back({"eve@example.org", "", ""});
  const std::string body = stored(take(complete, two)).body;
  EXPECT_THAT(body, Not(HasSubstr("for <")));
  EXPECT_THAT(body, Not(HasSubstr("eve@example.org")));
}

TEST_F(IncomingTest, WhatIsMissingIsAdded) {
  const std::string body = stored(take("From: ann@example.com\r\n\r\ntext\r\n", envelope())).body;
  EXPECT_THAT(body, HasSubstr("\r\nDate: "));
  EXPECT_THAT(body, HasSubstr("\r\nMessage-ID: <"));
  EXPECT_THAT(body, HasSubstr("\r\nFrom: ann@example.com\r\n\r\ntext\r\n"));
}

TEST_F(IncomingTest, ThePiecesItComesInDoNotMatter) {
  const std::string whole = stored(take(complete, envelope())).body;
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::string::npos})
    EXPECT_EQ(stored(take(complete, envelope(), piece)).body.size(), whole.size()) << piece;
}

TEST_F(IncomingTest, AMessageWithoutAHeaderGetsOne) {
  const std::string body = stored(take("\r\njust text\r\n", envelope())).body;
  EXPECT_THAT(body, HasSubstr("\r\nMessage-ID: <"));
  EXPECT_THAT(body, testing::EndsWith("\r\n\r\njust text\r\n"));
}

TEST_F(IncomingTest, ALargeMessageIsKeptToo) {
  std::string large = complete;
  while (large.size() < 500'000) large += "a line of a large message\r\n";
  const std::string id = take(large, envelope(), 16 * 1024);
  const queue::Content content = stored(id);
  EXPECT_GE(content.file, 0);
  EXPECT_GT(content.size, large.size());
}

// A header that never ends is passed on; it must not fill the memory.
TEST_F(IncomingTest, AnEndlessHeaderIsPassedOn) {
  std::string header;
  while (header.size() < 600'000) header += "X-Field: " + std::string(60, 'x') + "\r\n";
  const queue::Content content = stored(take(header + "\r\ntext\r\n", envelope(), 16 * 1024));
  EXPECT_GT(content.size, header.size());
}

// --- loops ---

std::string hops(int count) {
  std::string header;
  for (int i = 0; i < count; ++i) header += "Received: by hop.example\r\n";
  return header + complete;
}

TEST_F(IncomingTest, NinetyNineHopsAreFarAndAHundredACircle) {
  EXPECT_EQ(take(hops(100), envelope()), "554");
  EXPECT_EQ(take(hops(101), envelope()), "554");
  EXPECT_EQ(messages(), 0U);
  EXPECT_NE(take(hops(99), envelope()), "554");
  EXPECT_EQ(messages(), 1U);
}

// --- routing ---

TEST_F(IncomingTest, AMessageIsRoutedByItsSender) {
  const MessageId id = *queue::parse_message_id(take(complete, envelope("shop@example.com")));
  EXPECT_EQ(message(id).routing_sender, "shop@example.com");
  EXPECT_EQ(checked_, "");  // it was checked at MAIL
}

TEST_F(IncomingTest, AReportIsRoutedByItsHeader) {
  const std::string id = take(complete, envelope(""));
  EXPECT_EQ(message(*queue::parse_message_id(id)).routing_sender, "ann@example.com");
  EXPECT_EQ(stored(id).envelope.sender, "");
  EXPECT_EQ(checked_, "ann@example.com");
}

TEST_F(IncomingTest, AReportThatHasNoWayToGoIsRefused) {
  route_refusal_ = smtp::Reply{550, {5, 7, 1}, "No rule"};
  EXPECT_EQ(take(complete, envelope("")), "550");
  EXPECT_EQ(messages(), 0U);
}

TEST_F(IncomingTest, WhatIsDroppedLeavesNothing) {
  {
    const accept::ClientFacts facts;
    DraftIncoming incoming(loop, log_, *queue, facts, envelope(), "mail.example.com", nullptr);
    incoming.append(complete);
  }
  flush();
  reopen();
  EXPECT_EQ(recovery.messages, 0U);
}

}  // namespace
}  // namespace relayd
