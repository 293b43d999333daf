// The command line of sendmail(1), also as programs write it that are not installed here.
#include "sendmail_arguments.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::command {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Mode = SendmailArguments::Mode;
using Words = std::vector<std::string_view>;

SendmailArguments read(const Words& words) {
  const Result<SendmailArguments> arguments = parse_sendmail_arguments(words);
  EXPECT_TRUE(arguments) << (arguments ? "" : arguments.error());
  return arguments ? *arguments : SendmailArguments();
}

std::string error_of(const Words& words) {
  const Result<SendmailArguments> arguments = parse_sendmail_arguments(words);
  return arguments ? "" : arguments.error();
}

TEST(SendmailArguments, NoWordIsAMessageWithoutRecipients) {
  const SendmailArguments arguments = read({});
  EXPECT_EQ(arguments.mode, Mode::send);
  EXPECT_TRUE(arguments.dot_ends);
  EXPECT_FALSE(arguments.recipients_from_header);
  EXPECT_FALSE(arguments.sender);
  EXPECT_THAT(arguments.recipients, IsEmpty());
}

TEST(SendmailArguments, AValueIsTheRestOfItsWordOrTheNextWord) {
  EXPECT_EQ(read({"-fann@example.com"}).sender, "ann@example.com");
  EXPECT_EQ(read({"-f", "ann@example.com"}).sender, "ann@example.com");
  EXPECT_EQ(read({"-r", "ann@example.com"}).sender, "ann@example.com");
  EXPECT_EQ(read({"-F", "Ann Doe"}).full_name, "Ann Doe");
  EXPECT_EQ(read({"-C/etc/relayd/other.yaml"}).config, "/etc/relayd/other.yaml");
}

TEST(SendmailArguments, FlagsMayShareAWord) {
  for (const Words& words :
       {Words{"-ti"}, Words{"-it"}, Words{"-t", "-i"}, Words{"-oi", "-t"}, Words{"-t", "-o", "i"}}) {
    const SendmailArguments arguments = read(words);
    EXPECT_TRUE(arguments.recipients_from_header);
    EXPECT_FALSE(arguments.dot_ends);
  }
  EXPECT_EQ(read({"-tifann@example.com"}).sender, "ann@example.com");
  EXPECT_EQ(read({"-tif", "ann@example.com"}).sender, "ann@example.com");
}

TEST(SendmailArguments, TheLastOfTwoCounts) {
  EXPECT_EQ(read({"-f", "one@example.com", "-ftwo@example.com"}).sender, "two@example.com");
  EXPECT_EQ(read({"-bs", "-bm"}).mode, Mode::send);
}

TEST(SendmailArguments, AnEmptySenderIsGiven) {
  EXPECT_EQ(read({"-f", ""}).sender, "");
  EXPECT_EQ(read({"-f", "<>"}).sender, "<>");
}

TEST(SendmailArguments, ModesAreKnown) {
  EXPECT_EQ(read({"-bm"}).mode, Mode::send);
  EXPECT_EQ(read({"-bs"}).mode, Mode::smtp);
  EXPECT_EQ(read({"-bp"}).mode, Mode::list_queue);
  EXPECT_EQ(read({"-bv"}).mode, Mode::explain);
  EXPECT_EQ(read({"-bi"}).mode, Mode::initialise);
  EXPECT_EQ(read({"-I"}).mode, Mode::initialise);
  EXPECT_EQ(read({"-q"}).mode, Mode::run_queue);
  EXPECT_THAT(error_of({"-bd"}), HasSubstr("relayd run"));
  EXPECT_THAT(error_of({"-bz"}), HasSubstr("-bz"));
}

TEST(SendmailArguments, BehindTheFirstRecipientNothingIsAnOption) {
  const SendmailArguments arguments = read({"-i", "bob@example.org", "-C/tmp/evil", "--", "-t"});
  EXPECT_THAT(arguments.recipients, ElementsAre("bob@example.org", "-C/tmp/evil", "--", "-t"));
  EXPECT_EQ(arguments.config, "");
  EXPECT_FALSE(arguments.recipients_from_header);
}

TEST(SendmailArguments, BehindTwoDashesNothingIsAnOption) {
  const SendmailArguments arguments = read({"-i", "--", "-t", "bob@example.org"});
  EXPECT_THAT(arguments.recipients, ElementsAre("-t", "bob@example.org"));
  EXPECT_FALSE(arguments.recipients_from_header);
}

TEST(SendmailArguments, DeliveryStatusNotificationsAreSaidAsInSmtp) {
  const SendmailArguments arguments = read({"-N", "failure,delay", "-R", "hdrs", "-V", "ID 1"});
  EXPECT_EQ(arguments.notify, "FAILURE,DELAY");
  EXPECT_EQ(arguments.ret, "HDRS");
  EXPECT_EQ(arguments.envelope_id, "ID 1");
  EXPECT_EQ(read({"-Nnever"}).notify, "NEVER");
  for (const char* wrong : {"never,delay", "sometimes", "delay,", ",", "delay,,success"})
    EXPECT_NE(error_of({"-N", wrong}), "") << wrong;
  EXPECT_NE(error_of({"-R", "some"}), "");
}

TEST(SendmailArguments, WhatIsNotKnownIsAnError) {
  EXPECT_THAT(error_of({"-Z"}), HasSubstr("-Z"));
  EXPECT_THAT(error_of({"-tZ"}), HasSubstr("-Z"));
  EXPECT_THAT(error_of({"--help"}), HasSubstr("unknown option"));
  EXPECT_THAT(error_of({"-f"}), HasSubstr("needs a value"));
  EXPECT_THAT(error_of({"-B", "9BIT"}), HasSubstr("8BITMIME"));
}

// As their sources or their processes show it; what matters of it to us.
struct Recorded {
  const char* program;
  Words words;
  std::optional<std::string> sender;
  bool from_header;
  bool dot_ends;
  std::vector<std::string> recipients;
};

const Recorded recorded[] = {
    {"cron", {"-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"}, {}, false, false, {"root"}},
    {"cronie", {"-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root"}, "root", true, false, {}},
    {"PHP mail(), default", {"-t", "-i"}, {}, true, false, {}},
    {"PHP mail(), fifth argument", {"-t", "-i", "-fapp@example.com"}, "app@example.com", true, false, {}},
    {"PHPMailer", {"-oi", "-fapp@example.com", "-t"}, "app@example.com", true, false, {}},
    {"Symfony", {"-bs"}, {}, false, true, {}},
    {"Symfony, -t", {"-t", "-i", "-fapp@example.com"}, "app@example.com", true, false, {}},
    {"Nodemailer",
     {"-i", "-f", "app@example.com", "a@x.example", "b@x.example"},
     "app@example.com",
     false,
     false,
     {"a@x.example", "b@x.example"}},
    {"Ruby mail",
     {"-i", "-f", "app@example.com", "--", "a@x.example"},
     "app@example.com",
     false,
     false,
     {"a@x.example"}},
    {"git send-email",
     {"-i", "a@x.example", "b@x.example"},
     {},
     false,
     false,
     {"a@x.example", "b@x.example"}},
    {"git send-email, envelope sender",
     {"-f", "ann@example.com", "-i", "a@x.example"},
     "ann@example.com",
     false,
     false,
     {"a@x.example"}},
    {"mutt", {"-oem", "-oi", "--", "a@x.example"}, {}, false, false, {"a@x.example"}},
    {"mutt, use_envelope_from",
     {"-oem", "-oi", "-f", "ann@example.com", "--", "a@x.example"},
     "ann@example.com",
     false,
     false,
     {"a@x.example"}},
    {"mutt, dsn",
     {"-oem", "-oi", "-N", "failure", "-R", "hdrs", "--", "a@x.example"},
     {},
     false,
     false,
     {"a@x.example"}},
    {"mutt, 8 bit", {"-oem", "-oi", "-B8BITMIME", "--", "a@x.example"}, {}, false, false, {"a@x.example"}},
    {"bsd-mailx", {"-i", "-f", "ann", "root"}, "ann", false, false, {"root"}},
    {"s-nail",
     {"-i", "-f", "ann@example.com", "--", "a@x.example"},
     "ann@example.com",
     false,
     false,
     {"a@x.example"}},
    {"GNU mailutils",
     {"-oi", "-f", "ann@example.com", "a@x.example"},
     "ann@example.com",
     false,
     false,
     {"a@x.example"}},
    {"at", {"-i", "ann"}, {}, false, false, {"ann"}},
    {"sudo", {"-t"}, {}, true, true, {}},
    {"fail2ban", {"-t", "-f", "fail2ban@example.com"}, "fail2ban@example.com", true, true, {}},
    {"logwatch, mdadm", {"-t"}, {}, true, true, {}},
    {"unattended-upgrades", {"-oi", "-t"}, {}, true, false, {}},
    {"ActionMailer", {"-i", "-t"}, {}, true, false, {}},
    {"Perl Email::Sender",
     {"-i", "-f", "app@example.com", "--", "a@x.example"},
     "app@example.com",
     false,
     false,
     {"a@x.example"}},
    {"Perl MIME::Lite", {"-t", "-oi", "-oem"}, {}, true, false, {}},
    {"Mercurial", {"-f", "ann@example.com", "a@x.example"}, "ann@example.com", false, true, {"a@x.example"}},
    {"Emacs", {"-oi", "-fann@example.com", "-oem", "-odb", "-t"}, "ann@example.com", true, false, {}},
    {"sendmail's own submission", {"-Am", "-Ac", "-t", "-i", "-O", "DeliveryMode=b"}, {}, true, false, {}},
    {"mailman 2",
     {"-U", "-G", "-i", "-f", "list-bounces@example.com", "a@x.example"},
     "list-bounces@example.com",
     false,
     false,
     {"a@x.example"}},
    {"a null sender", {"-f", "<>", "-i", "a@x.example"}, "<>", false, false, {"a@x.example"}},
};

TEST(SendmailArguments, ProgramsAreUnderstood) {
  for (const Recorded& one : recorded) {
    SCOPED_TRACE(one.program);
    const SendmailArguments arguments = read(one.words);
    EXPECT_EQ(arguments.sender, one.sender);
    EXPECT_EQ(arguments.recipients_from_header, one.from_header);
    EXPECT_EQ(arguments.dot_ends, one.dot_ends);
    EXPECT_EQ(arguments.recipients, one.recipients);
  }
}

}  // namespace
}  // namespace relayd::command
