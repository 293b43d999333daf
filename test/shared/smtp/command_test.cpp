#include "shared/smtp/command.hpp"

#include <gtest/gtest.h>

namespace relayd::smtp {
namespace {

template <class T>
T parse(std::string_view line, bool smtp_utf8 = false) {
  const Command command = parse_command(line, smtp_utf8);
  if (const auto* rejected = std::get_if<Rejected>(&command)) ADD_FAILURE() << one_line(rejected->reply);
  EXPECT_TRUE(std::holds_alternative<T>(command)) << escape(line);
  const T* const value = std::get_if<T>(&command);
  return value ? *value : T{};
}

// The code a line is refused with; 0 when it is not.
int refused(std::string_view line, bool smtp_utf8 = false) {
  const Command command = parse_command(line, smtp_utf8);
  const auto* rejected = std::get_if<Rejected>(&command);
  if (!rejected) return 0;
  EXPECT_EQ(rejected->reply.enhanced.status_class, 5) << escape(line);
  return rejected->reply.code;
}

TEST(Command, AnyCaseAndTrailingSpaces) {
  parse<Quit>("QUIT");
  parse<Quit>("quit  ");
  parse<Rset>("rSeT ");
  parse<Data>("data");
  parse<StartTls>("STARTTLS");
  parse<Noop>("NOOP anything at all");
  parse<Help>("help me");
  EXPECT_EQ(parse<Ehlo>("ehlo client.example.com ").domain, "client.example.com");
  EXPECT_EQ(parse<Helo>("HELO  [127.0.0.1]").domain, "[127.0.0.1]");
  EXPECT_EQ(parse<Vrfy>("VRFY bob").argument, "bob");
}

TEST(Command, BadHelloNameIsNotRefused) {
  EXPECT_EQ(parse<Ehlo>("EHLO my_host !").domain, "my_host !");
  EXPECT_EQ(parse<Ehlo>("EHLO \xff").domain, "\\xFF");
  EXPECT_EQ(refused("EHLO"), 501);
  EXPECT_EQ(refused("HELO "), 501);
}

TEST(Command, ArgumentsWhereNoneAreAllowed) {
  for (const char* line : {"DATA x", "RSET x", "QUIT x", "STARTTLS x"}) EXPECT_EQ(refused(line), 501) << line;
  EXPECT_EQ(refused("VRFY"), 501);
}

TEST(Command, ControlsInALineMakeItOneBadCommand) {
  for (const std::string_view line :
       {"EHLO a\nMAIL FROM:<b@c>", "NOOP\rQUIT", "NOOP\tx", "MAIL FROM:<a@b> SIZE=1\rX"})
    EXPECT_EQ(refused(line), 500) << escape(line);
  EXPECT_EQ(refused(std::string_view("NOOP\0", 5)), 500);
  EXPECT_EQ(refused(std::string_view("MAIL FROM:<a\0b@c>", 17)), 500);
}

TEST(Command, UnknownVerbsAreNamed) {
  EXPECT_EQ(parse<Unknown>("get / HTTP/1.1").verb, "GET");
  EXPECT_EQ(parse<Unknown>("BDAT 10 LAST").verb, "BDAT");
  EXPECT_EQ(parse<Unknown>("Host:").verb, "HOST:");
}

TEST(Command, EmptyLine) {
  EXPECT_EQ(refused(""), 500);
  EXPECT_EQ(refused("   "), 500);
}

TEST(Command, LineLimits) {
  const auto line_of = [](std::string begin, std::size_t octets) {
    return begin + std::string(octets - 2 - begin.size(), 'x');
  };
  EXPECT_EQ(refused(line_of("NOOP ", 512)), 0);
  EXPECT_EQ(refused(line_of("NOOP ", 513)), 500);
  EXPECT_EQ(refused(line_of("AUTH PLAIN ", 12'288)), 0);
  EXPECT_EQ(refused(line_of("AUTH PLAIN ", 12'289)), 500);
  EXPECT_EQ(refused(line_of("MAIL FROM:<> ", 2'048)), 555);
  EXPECT_EQ(refused(line_of("MAIL FROM:<> ", 2'049)), 500);
  EXPECT_EQ(refused(line_of("XYZZY ", 513)), 500);
}

TEST(Command, Auth) {
  EXPECT_EQ(parse<Auth>("AUTH plain").mechanism, "PLAIN");
  EXPECT_EQ(parse<Auth>("AUTH plain").response, std::nullopt);
  EXPECT_EQ(parse<Auth>("AUTH PLAIN =").response, "");
  EXPECT_EQ(parse<Auth>("auth SCRAM-SHA-256  biws").response, "biws");
  EXPECT_EQ(refused("AUTH"), 501);
  EXPECT_EQ(refused("AUTH PLAIN a b"), 501);
}

TEST(Command, VrfyInUtf8NeedsTheParameter) {
  EXPECT_EQ(refused("VRFY j\xc3\xb6rg"), 553);
  parse<Vrfy>("VRFY j\xc3\xb6rg SMTPUTF8");
}

}  // namespace
}  // namespace relayd::smtp
