// DraftIncoming over a real queue: what stands on disk once a message was taken, and what is not taken.
#include "relay/incoming.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "queue/queue_fixture.hpp"
#include "relay/setup.hpp"
#include "support/forgetting_disk.hpp"
#include "support/quiet_log.hpp"

namespace relayd {
namespace {

using queue::MessageId;
using testing::EndsWith;
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
    terms_.check_author = [this](const std::string& author, const mail::Envelope&,
                                 const route::HeaderValues&) {
      authors_.push_back(author);
      return author.empty() ? unreadable_refusal_ : terms_.access->refuse_sender(author);
    };
    terms_.check_route = [this](const mail::Envelope& whole, std::uint64_t, const route::HeaderValues&) {
      checked_ = whole.routing_sender;
      return route_refusal_;
    };
    DraftIncoming incoming(loop, log_, publisher_, *queue, facts, envelope, terms_);
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

  static IncomingTerms terms() {
    IncomingTerms result;
    result.hostname = "mail.example.com";
    result.origin = "example.com";
    result.mark = "0123456789abcdef";
    result.access = std::make_shared<const Access>(config::Access{});
    const relayd::Setup nothing;  // of its rules
    const auto router = route::Router::build(std::make_shared<config::Config>()).router;
    result.taken = nothing.taken;
    result.ways_out = std::make_shared<const WaysOut>(
        router, nothing.staging, std::make_shared<const table::Tables>(), rewrite::DkimKeys());
    return result;
  }

  test::QuietLog log_;
  tell::Publisher publisher_{log_};
  IncomingTerms terms_ = terms();
  std::string checked_;
  std::vector<std::string> authors_;
  std::optional<smtp::Reply> unreadable_refusal_;
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
  EXPECT_THAT(body, EndsWith("\r\n\r\njust text\r\n"));
}

TEST_F(IncomingTest, ALargeMessageIsKeptToo) {
  std::string large = complete;
  while (large.size() < 500'000) large += "a line of a large message\r\n";
  const std::string id = take(large, envelope(), 16 * 1024);
  const queue::Content content = stored(id);
  EXPECT_GE(content.file, 0);
  EXPECT_GT(content.size, large.size());
}

// It must not fill the memory, however it is cut.
TEST_F(IncomingTest, AHeaderHasALimit) {
  std::string header;
  while (header.size() < 600'000) header += "X-Field: " + std::string(60, 'x') + "\r\n";
  for (const std::size_t piece : {std::size_t{16} * 1024, header.size() + 100})
    EXPECT_EQ(take(header + "\r\ntext\r\n", envelope(), piece), "552");
  terms_.header_size = Bytes{header.size() + 2};
  const queue::Content content = stored(take(header + "\r\ntext\r\n", envelope(), 16 * 1024));
  EXPECT_GT(content.size, header.size());
  EXPECT_EQ(messages(), 1U);
}

// Small fields are cheap to send, and not to read for those who come after us.
TEST_F(IncomingTest, AHeaderHasSoManyFieldsAndNoMore) {
  std::string header = "From: a@example.com\r\nDate: x\r\nMessage-ID: <1@x>\r\n";
  for (int i = 0; i < 7; ++i) header += "X: y\r\n z\r\n";
  terms_.header_fields = 10;
  EXPECT_EQ(stored(take(header + "\r\nX: y\r\n", envelope())).envelope.sender, "ann@example.com");
  for (const std::size_t piece : {std::size_t{1}, std::string::npos})
    EXPECT_EQ(take(header + "X:\r\n\r\ntext\r\n", envelope(), piece), "552");
}

// --- addresses without a domain ---

TEST_F(IncomingTest, AddressesWithoutADomainGetIt) {
  const std::string text =
      "Date: x\r\nMessage-ID: <1@x>\r\nFrom: root (Cron Daemon)\r\nTo: root,\r\n\tbob@example.org\r\n"
      "Subject: To: root\r\n\r\nTo: root\r\n";
  for (const std::size_t piece : {std::size_t{1}, std::string::npos})
    EXPECT_THAT(stored(take(text, envelope(), piece)).body,
                EndsWith("\r\nFrom: root@example.com (Cron Daemon)\r\nTo: root@example.com,\r\n"
                         "\tbob@example.org\r\nSubject: To: root\r\n\r\nTo: root\r\n"));
  EXPECT_THAT(stored(take("To: root\r\n", envelope())).body, EndsWith("\r\nTo: root@example.com\r\n"));
}

TEST_F(IncomingTest, TheirDomainCountsForWhoMaySendAndWhereTo) {
  terms_.may_send_as = {"root@example.com"};
  EXPECT_NE(take("From: root\r\n\r\ntext\r\n", envelope("")), "550");
  EXPECT_EQ(checked_, "root@example.com");
  EXPECT_EQ(take("From: eve\r\n\r\ntext\r\n", envelope()), "550");
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

// What this relay wrote above a message, found again: a list on the same relay, a reader who sends it on.
TEST_F(IncomingTest, OurOwnMailMayComeBackThreeTimes) {
  std::string message = complete;
  for (int visit = 1; visit <= 4; ++visit) {
    const std::string id = take(message, envelope());
    ASSERT_NE(id, "554") << "visit " << visit;
    message = stored(id).body;
  }
  EXPECT_THAT(message, HasSubstr("(relayd 0123456789abcdef)"));
  EXPECT_EQ(take(message, envelope()), "554");
  terms_.mark = "fedcba9876543210";
  EXPECT_NE(take(message, envelope()), "554");
}

// One field that has the mark again and again, as a client may write it, is one visit.
TEST_F(IncomingTest, AVisitIsAReceivedField) {
  const std::string mark = terms_.mark;
  EXPECT_NE(take("Received: " + mark + "\r\n " + mark + " " + mark + "\r\n " + mark + "\r\n" + complete,
                 envelope()),
            "554");
}

// --- the header's From ---

TEST_F(IncomingTest, AnAccountMayBeHeldToItsHeader) {
  terms_.may_send_as = {"@example.com"};
  const std::string rest = "Date: x\r\nMessage-ID: <1@x>\r\n\r\ntext\r\n";
  for (const char* const from :
       {"From: ann@example.org\r\n", "From: ann@example.com, eve@example.org\r\n",
        "From: ann@example.com\r\nFrom: eve@example.org\r\n", "From: nobody at all\r\n",
        "From: <ann@example.com> <eve@example.org>\r\n", "From:\r\n"})
    EXPECT_EQ(take(from + rest, envelope()), "550") << from;
  EXPECT_EQ(messages(), 0U);
  EXPECT_NE(take("From: Ann (eve@example.org) <ann@example.com>\r\n" + rest, envelope()), "550");
  const std::string body = stored(take(rest, envelope())).body;  // its own sender is put there
  EXPECT_THAT(body, HasSubstr("\r\nFrom: <ann@example.com>\r\n"));
}

TEST_F(IncomingTest, EachAuthorOfAReportIsHeldToWhatTheAccountMay) {
  terms_.may_send_as = {"@example.com"};
  const std::string rest = "Date: x\r\nMessage-ID: <1@x>\r\n\r\ntext\r\n";
  for (const char* const from : {"", "From: nobody at all\r\n", "From: ann@example.com, eve@example.org\r\n"})
    EXPECT_EQ(take(from + rest, envelope("")), "550") << from;
  EXPECT_EQ(take("From: ann@example.com (" + std::string(9'000, 'x') + ")\r\n" + rest, envelope("")), "550");
  EXPECT_EQ(messages(), 0U);
  EXPECT_NE(take("From: ann@example.com, bob@example.com\r\n" + rest, envelope("")), "550");
}

TEST_F(IncomingTest, AFromAtTheVeryEndIsOneToo) {
  terms_.may_send_as = {"@example.com"};
  EXPECT_EQ(take("Date: x\r\nFrom: eve@example.org\r\n", envelope()), "550");
}

// --- access ---

TEST_F(IncomingTest, AccessIsAskedOfEachAuthorOfAReport) {
  using enum config::AccessVerdict;
  config::Access rules;
  rules.senders = {
      {"eve@example.org", "", reject}, {"held@example.org", "", hold}, {"gone@example.org", "", discard}};
  terms_.access = std::make_shared<const Access>(rules);
  EXPECT_EQ(take("From: ann@example.com, eve@example.org\r\n\r\n", envelope("")), "550");
  take("From: gone@example.org\r\n\r\n", envelope(""));
  EXPECT_EQ(messages(), 0U);
  const std::string held = take("From: ann@example.com, held@example.org\r\n\r\n", envelope(""));
  EXPECT_EQ(message(*queue::parse_message_id(held)).state, queue::MessageState::held);
  EXPECT_NE(take("From: eve@example.org\r\n\r\n", envelope()), "550");  // its sender routes it
}

TEST_F(IncomingTest, AnAuthorWhoMayBeMisreadIsOneWhoCannotBeRead) {
  take("From: \"<eve@example.org>\"@example.com, ann@example.com, nobody at all\r\n\r\n", envelope(""));
  EXPECT_EQ(authors_, (std::vector<std::string>{"", "ann@example.com", ""}));
  unreadable_refusal_ = {550, {5, 7, 1}, "Who?"};
  EXPECT_EQ(take("From: eve\uff20example.org\r\n\r\n", envelope("")), "550");
  EXPECT_NE(take("From: eve\uff20example.org\r\n\r\n", envelope()), "550");
}

TEST_F(IncomingTest, WhatIsHeldIsOnDiskAndWaitsForTheOperator) {
  terms_.fate.hold = true;
  const std::string id = take(complete, envelope());
  EXPECT_EQ(message(*queue::parse_message_id(id)).state, queue::MessageState::held);
  flush();
  reopen();
  EXPECT_EQ(message(*queue::parse_message_id(id)).state, queue::MessageState::held);
}

TEST_F(IncomingTest, WhatIsDiscardedIsAnsweredAndForgotten) {
  mail::Envelope nobody = envelope();
  terms_.fate.discarded = std::exchange(nobody.recipients, {});
  EXPECT_EQ(take(complete, nobody).size(), 11U);
  EXPECT_EQ(queue->totals().waiting + queue->totals().held + queue->totals().ready, 0U);
}

TEST(Access, TheMostSpecificPatternDecides) {
  using enum config::AccessVerdict;
  config::Access rules;
  rules.senders = {{"*", "", reject}, {"@example.com", "", accept}, {"old@example.com", "", discard}};
  rules.recipients = {{"@example.org", "", hold}, {"sink@example.org", "", discard}};
  const Access access(rules);
  EXPECT_EQ(access.sender("ann@example.com"), accept);
  EXPECT_EQ(access.sender("OLD@example.com"), discard);
  EXPECT_EQ(access.sender("ann@example.net"), reject);
  EXPECT_EQ(access.recipient("ann@example.net"), accept);
  mail::Envelope envelope;
  envelope.sender = "ann@example.com";
  envelope.recipients = {{"bob@example.net", "", ""}, {"sink@example.org", "", ""}};
  Access::Fate fate = access.decide(envelope);
  EXPECT_FALSE(fate.hold);
  EXPECT_EQ(envelope.recipients.size(), 1U);
  EXPECT_EQ(fate.discarded.size(), 1U);
  envelope.recipients.push_back({"bob@example.org", "", ""});
  EXPECT_TRUE(access.decide(envelope).hold);
  envelope.sender = "old@example.com";
  EXPECT_EQ(access.decide(envelope).discarded.size(), 2U);
  EXPECT_TRUE(envelope.recipients.empty());
}

// --- routing ---

TEST_F(IncomingTest, AMessageIsRoutedByItsSender) {
  const MessageId id = *queue::parse_message_id(take(complete, envelope("shop@example.com")));
  EXPECT_EQ(message(id).routing_sender, "shop@example.com");
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
    DraftIncoming incoming(loop, log_, publisher_, *queue, facts, envelope(), terms_);
    incoming.append(complete);
  }
  flush();
  reopen();
  EXPECT_EQ(recovery.messages, 0U);
}

// --- parts ---

class IncomingPartsTest : public IncomingTest {
 protected:
  IncomingPartsTest() { disk_.set_free_space(1_GiB); }
  disk::Disk& fresh_disk() override { return disk_; }
  void TearDown() override {
    IncomingTest::TearDown();
    loop.run();
  }

  static mail::Envelope to_lists() {
    mail::Envelope envelope;
    envelope.sender = envelope.routing_sender = "ann@example.com";
    envelope.envelope_id = "env-1";
    envelope.recipients = {
        {"eve@x", "SUCCESS", ""}, {"a@x", "", "", "owner-a@o"}, {"b@x", "", "", "owner-b@o"}};
    return envelope;
  }
  std::vector<MessageId> ids() {
    std::vector<MessageId> found;
    queue->for_each([&found](const queue::Message& each) { found.push_back(each.id()); });
    return found;
  }
  // What waits, by its sender.
  std::map<std::string, queue::Content> by_sender() {
    std::map<std::string, queue::Content> found;
    for (const MessageId id : ids()) {
      queue::Content content = look(id);
      found.emplace(content.envelope.sender, std::move(content));
    }
    return found;
  }

  test::ForgettingDisk disk_;
};

TEST_F(IncomingPartsTest, EachSenderHasAMessageWithItsOwnReceivedField) {
  take("From: ann@example.com\r\n\r\ntext\r\n", to_lists());
  const auto found = by_sender();
  ASSERT_EQ(found.size(), 3U);
  const auto message_id_of = [](const std::string& body) {
    return body.substr(body.find("\r\nMessage-ID: "));  // and all that follows
  };
  for (const auto& [sender, content] : found) {
    ASSERT_EQ(content.envelope.recipients.size(), 1U);
    const std::string named = "for <" + content.envelope.recipients[0].address + ">";
    EXPECT_EQ(content.body.find(named) != std::string::npos, sender == "ann@example.com") << sender;
    EXPECT_EQ(message_id_of(content.body), message_id_of(found.begin()->second.body));
    EXPECT_EQ(content.envelope.envelope_id, sender == "ann@example.com" ? "env-1" : "");
    EXPECT_EQ(content.envelope.routing_sender, sender);
  }
}

TEST_F(IncomingPartsTest, EachListAnswersForItself) {
  mail::Envelope asked = to_lists();
  asked.expanded = {{"two@o", "SUCCESS", ""}, {"b@o", "SUCCESS", "", "owner-b@o"}};
  take(complete, asked);
  const auto found = by_sender();
  EXPECT_EQ(found.at("ann@example.com").envelope.expanded.at(0).address, "two@o");
  EXPECT_FALSE(found.at("ann@example.com").envelope.list_sender);
  EXPECT_TRUE(found.at("owner-a@o").envelope.expanded.empty());
  const mail::Envelope& list = found.at("owner-b@o").envelope;
  EXPECT_EQ(list.expanded.at(0).address, "b@o");
  ASSERT_TRUE(list.list_sender);
  EXPECT_EQ(list.list_sender->address, "ann@example.com");
  EXPECT_EQ(list.list_sender->envelope_id, "env-1");
}

TEST_F(IncomingPartsTest, AListWhoseMailGoesElsewhereIsAnsweredAllTheSame) {
  mail::Envelope asked = to_lists();
  asked.expanded = {{"c@o", "SUCCESS", "", "owner-c@o"}};
  asked.recipients.erase(asked.recipients.begin());
  take(complete, asked);
  std::size_t count = 0;
  for (const auto& [sender, content] : by_sender()) count += content.envelope.expanded.size();
  EXPECT_EQ(count, 1U);
}

// Whatever call of the disk fails: all parts are kept, or the client hears 4xx and none is.
TEST_F(IncomingPartsTest, AllPartsAreKeptOrNone) {
  std::size_t refused = 0;
  for (std::size_t call = 1; call <= 30; ++call) {
    disk_.arm(call, test::ForgettingDisk::Fault::fails_once);
    const std::string answer = take(complete, to_lists());
    disk_.heal();
    flush();
    const bool is_refused = answer.size() == 3 && answer.front() == '4';
    refused += is_refused ? 1 : 0;
    EXPECT_EQ(by_sender().size(), is_refused ? 0U : 3U) << answer << " at " << call;
    for (const MessageId id : ids()) queue->remove(message(id));
    reopen();
    EXPECT_EQ(recovery.messages, 0U) << call;
  }
  EXPECT_GE(refused, 2U);
}

}  // namespace
}  // namespace relayd
