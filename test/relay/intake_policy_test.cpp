// IntakePolicy: what is taken from whom, by the present configuration.
#include "relay/intake_policy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "relay/lanes_world.hpp"
#include "tell/log.hpp"

namespace relayd {
namespace {

class IntakePolicyTest : public test::LanesWorld {
 protected:
  void SetUp() override {
    LanesWorld::SetUp();
    add_upstream("office", {1});
    add_rule("@example.org", {"office"});
    add_rule("@closed.example.org", {}).reject = "550 5.7.9 Closed";
  }
  // The policy by what `config` is now.
  IntakePolicy& policy(bool opened = true) {
    open();
    const TablesResult tables = make_tables(*config);
    setup.access = std::make_shared<const Access>(config->access, tables.tables);
    setup.copies = std::make_shared<const rewrite::Copies>(config->bcc, tables.tables);
    AliasesResult made = make_aliases(*config, tables.tables);
    EXPECT_TRUE(made.errors.empty());
    setup.aliases = made.aliases;
    policy_ = std::make_unique<IntakePolicy>(loop, log, publisher_, *queue, *lanes, suppressions_, setup);
    suppressions_.use(config->suppress);
    if (opened) policy_->open("mark");
    return *policy_;
  }
  // The answer to MAIL; empty: the client may go on.
  std::string answer(const std::string& sender, std::uint64_t size = 0, const std::string& account = "") {
    accept::ClientFacts facts;
    facts.account = account;
    mail::Envelope envelope;
    envelope.sender = envelope.routing_sender = sender;
    const std::optional<smtp::Reply> reply = policy_->check_sender(facts, envelope, size);
    return reply ? smtp::one_line(*reply) : std::string();
  }

  // The recipients that RCPT adds, or its refusal.
  static std::string added(IntakePolicy& policy, mail::Recipient recipient, mail::Envelope envelope = {}) {
    const std::optional<smtp::Reply> reply = policy.add_recipient(envelope, std::move(recipient));
    return reply ? smtp::one_line(*reply) : tell::recipients_text(envelope.recipients);
  }
  static std::string added(IntakePolicy& policy, const std::string& address) {
    return added(policy, mail::Recipient{address, "", ""});
  }

  // An upstream has said so, to a sender of example.org.
  void suppress(const std::string& recipient) {
    const tell::Second now = std::chrono::floor<std::chrono::seconds>(loop.wall_now());
    const std::vector<tell::Suppression> entries = {
        {recipient, "example.org", now, now + std::chrono::hours(24), "550 5.1.1 No such user"}};
    run_task(suppressions_.add(entries), &loop);
  }
  void TearDown() override {
    run_task(suppressions_.flush(), &loop);
    LanesWorld::TearDown();
  }

  tell::Publisher told_{log};
  SuppressionBook suppressions_{loop, workers, own_disk, log, told_};

  std::unique_ptr<IntakePolicy> policy_;
};

TEST_F(IntakePolicyTest, NothingIsTakenWhileTheQueueIsRead) {
  policy(false);
  EXPECT_TRUE(answer("a@example.org").starts_with("451 4.3.2 Starting"));
}

TEST_F(IntakePolicyTest, ASenderNeedsARouteThatDoesNotReject) {
  policy();
  EXPECT_EQ(answer("a@example.org"), "");
  EXPECT_EQ(answer("a@elsewhere.example"), "550 5.7.1 No rule says where mail from a@elsewhere.example goes");
  EXPECT_EQ(answer("a@closed.example.org"), "550 5.7.9 Closed");
}

// It is routed by its header, which is not known yet.
TEST_F(IntakePolicyTest, TheNullSenderMayGoOn) {
  policy();
  EXPECT_EQ(answer(""), "");
}

TEST_F(IntakePolicyTest, AnAccountSendsAsWhatItMay) {
  config::Account& account = config->accounts.emplace_back();
  account.name = "app";
  account.may_send_as = {"app@example.org"};
  policy();
  EXPECT_EQ(answer("app@example.org", 0, "app"), "");
  EXPECT_EQ(answer("ann@example.org", 0, "app"), "553 5.7.1 app may not send as ann@example.org");
  EXPECT_EQ(answer("ann@example.org"), "");
}

TEST_F(IntakePolicyTest, AccessRejectsSendersAndRecipients) {
  config->access.senders = {{"bad@example.org", "", config::AccessVerdict::reject},
                            {"held@example.org", "", config::AccessVerdict::hold}};
  config->access.recipients = {{"@nowhere.example", "", config::AccessVerdict::reject}};
  IntakePolicy& taken = policy();
  EXPECT_EQ(answer("bad@example.org"), "550 5.7.1 Mail from <bad@example.org> is not taken");
  EXPECT_EQ(answer("held@example.org"), "");
  EXPECT_EQ(added(taken, "x@nowhere.example"), "550 5.7.1 Mail to <x@nowhere.example> is not taken");
  EXPECT_EQ(added(taken, "x@example.com"), "x@example.com");
}

TEST_F(IntakePolicyTest, AnAliasAddsWhomItStandsFor) {
  config->origin = "o.example";
  config->aliases = {{"root", {"ann@x.example", "bob"}, {}}, {"nobody", {"a@nowhere.example"}, {}}};
  config->access.recipients = {{"@nowhere.example", "", config::AccessVerdict::reject},
                               {"bob@o.example", "", config::AccessVerdict::reject}};
  IntakePolicy& taken = policy();
  EXPECT_EQ(added(taken, "root@o.example"), "ann@x.example");
  EXPECT_EQ(added(taken, "nobody@o.example"),
            "550 5.1.1 <nobody@o.example> stands only for recipients that are refused");
  EXPECT_EQ(added(taken, "carl@o.example"), "carl@o.example");
}

// RFC 3461 5.2.7.3: whoever asked to hear of success hears that the recipient became several.
TEST_F(IntakePolicyTest, ARecipientThatBecameSeveralIsKeptForAReport) {
  config->origin = "o.example";
  config->aliases = {{"two", {"a@x.example", "b@x.example"}, {}},
                     {"one", {"a@x.example"}, {}},
                     {"list", {"c@x.example"}, {}},
                     {"owner-list", {"d@x.example"}, {}},
                     {"mixed", {"a@x.example", "list"}, {}}};
  const auto expanded = [](IntakePolicy& taken, const mail::Recipient& recipient) {
    mail::Envelope envelope;
    EXPECT_EQ(taken.add_recipient(envelope, recipient), std::nullopt);
    std::string text;
    for (const mail::Recipient& one : envelope.expanded)
      text += one.address + " " + one.notify + " " + one.original_recipient;
    return text;
  };
  const mail::Recipient asked{"Two@o.example", "SUCCESS,DELAY", "rfc822;t@x"};
  EXPECT_EQ(expanded(policy(), asked), "") << "this relay writes no reports";
  config->bounce.from = "mailer-daemon@o.example";
  EXPECT_EQ(expanded(*policy_, asked), "Two@o.example SUCCESS,DELAY rfc822;t@x");
  EXPECT_EQ(expanded(*policy_, {"two@o.example", "FAILURE", ""}), "");
  EXPECT_EQ(expanded(*policy_, {"two@o.example", "", ""}), "");
  EXPECT_EQ(expanded(*policy_, {"one@o.example", "SUCCESS", ""}), "") << "one target inherits it";
  EXPECT_EQ(expanded(*policy_, {"mixed@o.example", "SUCCESS", ""}), "mixed@o.example SUCCESS ");
}

// RFC 3461 5.2.7.1: a list is the end of it, with one member too.
TEST_F(IntakePolicyTest, AListThatHasAnOwnerIsKeptForAReport) {
  config->origin = "example.org";
  config->bounce.from = "mailer-daemon@example.org";
  config->aliases = {{"list", {"a@x.example"}, {}},
                     {"owner-list", {"boss@x.example"}, {}},
                     {"mixed", {"b@x.example", "list"}, {}},
                     {"alias", {"list"}, {}}};
  const auto owner_of = [this](const std::string& sender, const std::string& name,
                               const std::string& notify) {
    mail::Envelope envelope;
    envelope.sender = sender;
    EXPECT_EQ(policy_->add_recipient(envelope, {name + "@example.org", notify, ""}), std::nullopt);
    return envelope.expanded.empty() ? "none" : envelope.expanded.at(0).owner;
  };
  policy();
  EXPECT_EQ(owner_of("s@example.org", "list", "SUCCESS"), "owner-list@example.org");
  EXPECT_EQ(owner_of("s@example.org", "alias", "SUCCESS"), "owner-list@example.org");
  EXPECT_EQ(owner_of("s@example.org", "mixed", "SUCCESS"), "") << "it is an alias that became several";
  EXPECT_EQ(owner_of("s@example.org", "list", "FAILURE"), "none");
  EXPECT_EQ(owner_of("", "list", "SUCCESS"), "none") << "nobody could be told";
}

TEST_F(IntakePolicyTest, RecipientsOfAliasesFitIntoOneMessage) {
  config->origin = "o.example";
  config->aliases = {{"two", {"a@x.example", "b@x.example"}, {}}};
  for (int i = 0; i < 1001; ++i)
    config->aliases.push_back({"n" + std::to_string(i), {"n" + std::to_string(i + 1)}, {}});
  IntakePolicy& taken = policy();
  mail::Envelope full;
  full.recipients.resize(config::most_recipients - 1);
  EXPECT_EQ(added(taken, {"two@o.example", "", ""}, full), "452 4.5.3 At most 20000 recipients a message");
  EXPECT_EQ(added(taken, "n0@o.example"), "451 4.6.0 Alias expansion error");
}

TEST_F(IntakePolicyTest, WhoDoesNotExistIsRefusedToSendersOfThatDomain) {
  config->suppress.emplace();
  config->origin = "o.example";
  config->aliases = {{"gone", {"gone@x.example"}, {}}, {"both", {"gone@x.example", "ann@x.example"}, {}}};
  IntakePolicy& taken = policy();
  suppress("gone@x.example");
  mail::Envelope envelope;
  envelope.sender = "a@Example.org";
  const auto answer = [&](const char* address) { return added(taken, {address, "", ""}, envelope); };
  EXPECT_THAT(answer("Gone@X.example"), testing::MatchesRegex("550 5.1.1 <Gone@X.example> is suppressed from "
                                                              ".* to .*: 550 5.1.1 No such user"));
  EXPECT_EQ(answer("gone@o.example"),
            "550 5.1.1 <gone@o.example> stands only for recipients that are refused");
  EXPECT_EQ(answer("both@o.example"), "ann@x.example");
  for (const char* const other : {"a@other.example", ""}) {
    envelope.sender = other;
    EXPECT_EQ(answer("gone@x.example"), "gone@x.example") << other;
  }
}

// What it is compared with is what the sender becomes, as that is what is sent.
TEST_F(IntakePolicyTest, WhoIsRefusedGoesByTheSenderAsItIsTaken) {
  config->suppress.emplace();
  config::RewriteRule rule;
  rule.match = "@inside.example";
  rule.to = "@example.org";
  rule.sender = rule.taken = true;
  config->changes.rewrite = {rule};
  IntakePolicy& taken = policy();
  setup.taken = std::make_shared<const rewrite::RewriteRules>(config->changes.rewrite, rewrite::When::taken);
  suppress("gone@x.example");
  mail::Envelope envelope;
  envelope.sender = "a@inside.example";
  EXPECT_THAT(added(taken, {"gone@x.example", "", ""}, envelope), testing::StartsWith("550 5.1.1 "));
}

TEST_F(IntakePolicyTest, WithoutTheKeyNobodyIsRefused) {
  IntakePolicy& taken = policy();
  suppress("gone@x.example");
  mail::Envelope envelope;
  envelope.sender = "a@example.org";
  EXPECT_EQ(added(taken, {"gone@x.example", "", ""}, envelope), "gone@x.example");
}

TEST_F(IntakePolicyTest, TheLargestMessageIsWhatSomeUpstreamTakes) {
  config->limits.message_size = 50_MiB;
  EXPECT_EQ(policy().size_limit().count, (50_MiB).count);
  config->upstreams[0].limits.message_size = 10_MiB;
  EXPECT_EQ(policy().size_limit().count, (10_MiB).count);
  EXPECT_EQ(answer("a@example.org", (10_MiB).count), "");
  EXPECT_TRUE(answer("a@example.org", (10_MiB).count + 1).starts_with("552 5.3.4 "));
  add_upstream("large", {2}).limits.message_size = 20_MiB;
  EXPECT_EQ(policy().size_limit().count, (20_MiB).count);
  config->limits.message_size = 5_MiB;
  EXPECT_EQ(policy().size_limit().count, (5_MiB).count);
}

}  // namespace
}  // namespace relayd
