#include "shared/smtp/envelope_command.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace relayd::smtp {
namespace {

int refused(std::string_view line, bool smtp_utf8 = false) {
  const Command command = parse_command(line, smtp_utf8);
  const auto* rejected = std::get_if<Rejected>(&command);
  return rejected ? rejected->reply.code : 0;
}

Mail mail(std::string_view line) {
  EXPECT_EQ(refused(line), 0) << escape(line);
  const Command command = parse_command(line);
  return std::holds_alternative<Mail>(command) ? std::get<Mail>(command) : Mail{};
}

Rcpt rcpt(std::string_view line, bool smtp_utf8 = false) {
  EXPECT_EQ(refused(line, smtp_utf8), 0) << escape(line);
  const Command command = parse_command(line, smtp_utf8);
  return std::holds_alternative<Rcpt>(command) ? std::get<Rcpt>(command) : Rcpt{};
}

std::string recipient(std::string_view path, bool smtp_utf8 = false) {
  return rcpt("RCPT TO:" + std::string(path), smtp_utf8).forward_path;
}
int refused_recipient(std::string_view path, bool smtp_utf8 = false) {
  return refused("RCPT TO:" + std::string(path), smtp_utf8);
}

TEST(MailCommand, Paths) {
  EXPECT_EQ(mail("MAIL FROM:<a@example.com>").reverse_path, "a@example.com");
  EXPECT_EQ(mail("mail from: <a@example.com> ").reverse_path, "a@example.com");
  EXPECT_EQ(mail("MAIL FROM:<>").reverse_path, "");
  EXPECT_EQ(mail("MAIL FROM:<root>").reverse_path, "root");
}

TEST(MailCommand, RefusesWhatIsNoPath) {
  for (const char* line :
       {"MAIL", "MAIL FROM:", "MAIL FROM", "MAIL TO:<a@b>", "MAIL FROM:a@b", "MAIL FROM:<a@b",
        "MAIL FROM:a@b>", "MAIL FROM:<;id;>", "MAIL FROM:<a@b c@d>", "MAIL FROM:<a@b>x", "MAIL FROM:<-oX@y>",
        "MAIL FROM:<a@b@c>", "MAIL FROM:<@c>", "MAIL FROM:<a@>", "MAIL FROM:<<a@b>>", "MAIL FROM:<\"a@b>",
        "MAIL FROM:<@a:>", "MAIL FROM:<@a,@b>"})
    EXPECT_EQ(refused(line), 501) << line;
}

TEST(RcptCommand, LocalPartsAreKeptOctetByOctet) {
  for (const char* address :
       {"u%d@c", "d!u@c", "\"u@d\"@c", "\"a b\\\"c>\"@d", "u@[127.0.0.1]", "u@[IPv6:::1]", "postmaster",
        "Postmaster", "A.b+C@Example.COM", "a..b@c", "u@my_host.c"})
    EXPECT_EQ(recipient('<' + std::string(address) + '>'), address);
}

TEST(RcptCommand, SourceRouteIsDropped) {
  EXPECT_EQ(recipient("<@a,@b:u@c>"), "u@c");
  EXPECT_EQ(refused_recipient("<@a:@b:u@c>"), 501);
  EXPECT_EQ(refused_recipient("<@a:u@c:v@d>"), 501);
}

TEST(RcptCommand, RefusesWhatIsNoMailbox) {
  for (const char* path : {"<>", "<u@c.>", "<u@.c>", "<u@a..b>", "<u@-a>", "<u@a->", "<u@[127.0.0.1>",
                           "<u@[]>", "<u@[a]b]>", "<\"u\"x@c>", "<u(x)@c>", "<u,v@c>"})
    EXPECT_EQ(refused_recipient(path), 501) << path;
}

TEST(RcptCommand, LengthLimits) {
  const auto address = [](std::size_t local, std::size_t domain) {
    std::string name;
    while (name.size() + 64 <= domain) name += std::string(63, 'd') + '.';
    name += std::string(domain - name.size(), 'd');
    return '<' + std::string(local, 'l') + '@' + name + '>';
  };
  EXPECT_EQ(refused_recipient(address(64, 255)), 0);
  EXPECT_EQ(refused_recipient(address(65, 10)), 501);
  EXPECT_EQ(refused_recipient(address(1, 256)), 501);
}

TEST(RcptCommand, Utf8OnlyWhereItWasAnnounced) {
  EXPECT_EQ(recipient("<j\xc3\xb6rg@\xc3\xa9.example>", true), "j\xc3\xb6rg@\xc3\xa9.example");
  EXPECT_EQ(refused_recipient("<j\xc3\xb6rg@example.com>"), 553);
  EXPECT_EQ(mail("MAIL FROM:<j\xc3\xb6rg@example.com> SMTPUTF8").reverse_path, "j\xc3\xb6rg@example.com");
  EXPECT_EQ(refused("MAIL FROM:<j\xc3\xb6rg@example.com>"), 553);
}

TEST(RcptCommand, BadUnicodeIsRefused) {
  for (const char* octets : {"\xc0\xaf", "\xed\xa0\x80", "\xff", "\xc3", "\xf4\x90\x80\x80", "\xe2\x80\xa8",
                             "\xe2\x80\x8f", "\xc2\x85"})
    EXPECT_EQ(refused_recipient("<a" + std::string(octets) + "@b>", true), 553) << escape(octets);
}

TEST(MailCommand, Size) {
  EXPECT_EQ(mail("MAIL FROM:<> size=123").size, 123u);
  EXPECT_EQ(mail("MAIL FROM:<>").size, std::nullopt);
  EXPECT_EQ(mail("MAIL FROM:<> SIZE=99999999999999999999").size, std::numeric_limits<std::uint64_t>::max());
  for (const char* value :
       {"SIZE=-1", "SIZE=", "SIZE", "SIZE=1x", "SIZE=123456789012345678901", "SIZE=1 SIZE=1"})
    EXPECT_EQ(refused("MAIL FROM:<> " + std::string(value)), 501) << value;
}

TEST(MailCommand, OtherParameters) {
  const Mail all = mail("MAIL FROM:<a@b> BODY=8bitmime SMTPUTF8 RET=hdrs ENVID=Q+2B1 AUTH=c+40d");
  EXPECT_TRUE(all.eight_bit && all.smtp_utf8);
  EXPECT_EQ(all.ret, "HDRS");
  EXPECT_EQ(all.envelope_id, "Q+2B1");
  EXPECT_EQ(all.auth, "c@d");
  EXPECT_FALSE(mail("MAIL FROM:<> BODY=7BIT").eight_bit);
  EXPECT_EQ(mail("MAIL FROM:<> AUTH=<>").auth, "");
  EXPECT_EQ(refused("MAIL FROM:<> BODY=9BIT"), 504);
  for (const char* value : {"SMTPUTF8=1", "RET=ALL", "ENVID=", "ENVID=a+0Ab", "ENVID=a+C3+A9",
                            "AUTH=", "AUTH=a+0Ab", "AUTH=a@b+0A"})
    EXPECT_EQ(refused("MAIL FROM:<> " + std::string(value)), 501) << value;
  for (const char* value : {"X=1", "NOTIFY=NEVER", "BY=120;R", "HOLDFOR=1", "=", "SIZEX=1"})
    EXPECT_EQ(refused("MAIL FROM:<> " + std::string(value)), 555) << value;
  EXPECT_EQ(refused("MAIL FROM:<> ENVID=" + std::string(100, 'x')), 0);
  EXPECT_EQ(refused("MAIL FROM:<> ENVID=" + std::string(101, 'x')), 501);
}

TEST(RcptCommand, Parameters) {
  const Rcpt all = rcpt("RCPT TO:<a@b> NOTIFY=success,DELAY ORCPT=rfc822;c+2Bd@e");
  EXPECT_EQ(all.notify, "SUCCESS,DELAY");
  EXPECT_EQ(all.original_recipient, "rfc822;c+2Bd@e");
  EXPECT_EQ(rcpt("RCPT TO:<a@b> NOTIFY=NEVER").notify, "NEVER");
  for (const char* value :
       {"NOTIFY=NEVER,FAILURE", "NOTIFY=", "NOTIFY", "NOTIFY=FAILURE,FAILURE", "NOTIFY=FAILURE,", "ORCPT=a@b",
        "ORCPT=;a@b", "ORCPT=rfc822;", "ORCPT=rfc822;a+0A", "ORCPT=rfc822;a+2", "ORCPT=rfc822;\xc3\xb6@b",
        "ORCPT=rf/c;a", "ORCPT=rfc822;+C3+A9@b", "ORCPT=utf-8;+C3+A9@b"})
    EXPECT_EQ(refused("RCPT TO:<a@b> " + std::string(value)), 501) << value;
  EXPECT_EQ(refused("RCPT TO:<a@b> SIZE=1"), 555);
  rcpt("RCPT TO:<a@b> ORCPT=utf-8;\xc3\xb6@b", true);
}

TEST(MailCommand, WritesWhatTheServerOffers) {
  mail::Envelope envelope;
  envelope.sender = "a@example.com";
  envelope.eight_bit = true;
  envelope.smtp_utf8 = true;
  envelope.ret = "HDRS";
  envelope.envelope_id = "Q1";
  EXPECT_EQ(mail_from(envelope, 10, {}), "MAIL FROM:<a@example.com>\r\n");
  Capabilities all;
  all.size = all.eight_bit_mime = all.smtp_utf8 = all.dsn = true;
  EXPECT_EQ(mail_from(envelope, 10, all),
            "MAIL FROM:<a@example.com> SIZE=10 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=Q1\r\n");
  EXPECT_EQ(mail_from({}, 0, all), "MAIL FROM:<> SIZE=0\r\n");
}

TEST(RcptCommand, WritesWhatTheServerOffers) {
  const mail::Recipient recipient{"b@example.com", "FAILURE", "rfc822;c@d"};
  Capabilities dsn;
  dsn.dsn = true;
  EXPECT_EQ(rcpt_to(recipient, {}), "RCPT TO:<b@example.com>\r\n");
  EXPECT_EQ(rcpt_to(recipient, dsn), "RCPT TO:<b@example.com> NOTIFY=FAILURE ORCPT=rfc822;c@d\r\n");
}

TEST(RcptCommand, NoAddressBecomesACommand) {
  Capabilities dsn;
  dsn.dsn = true;
  EXPECT_EQ(rcpt_to({"a@b>\r\nDATA", "", ""}, dsn), "RCPT TO:<a@b???DATA>\r\n");
  EXPECT_EQ(rcpt_to({"a@b> NOTIFY=NEVER", "", ""}, dsn), "RCPT TO:<a@b? NOTIFY=NEVER>\r\n");
  EXPECT_EQ(rcpt_to({"\"a>b\"@c", "", ""}, dsn), "RCPT TO:<\"a>b\"@c>\r\n");
  EXPECT_EQ(rcpt_to({"\"a", "x\ny z", ""}, dsn), "RCPT TO:<\"a> NOTIFY=x?y?z\r\n");
}

}  // namespace
}  // namespace relayd::smtp
