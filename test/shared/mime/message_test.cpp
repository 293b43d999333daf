#include "shared/mime/message.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::mime {
namespace {

// With CR LF, as messages lie on disk.
std::string lines(std::string text) {
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) text.insert(at, 1, '\r');
  return text;
}

std::vector<std::string> types(std::string_view text) {
  std::vector<std::string> found;
  for (const Part& part : parse(text).parts) found.push_back(part.type);
  return found;
}

TEST(MimeMessage, WithoutMimeIsOneText) {
  const std::string text = lines("Subject: x\n\nHello.\n");
  const Message message = parse(text);
  EXPECT_EQ(message.header, "Subject: x\r\n");
  ASSERT_EQ(message.parts.size(), 1u);
  EXPECT_EQ(message.parts[0].type, "text/plain");
  EXPECT_EQ(message.parts[0].body, "Hello.\r\n");
  EXPECT_EQ(message.parts[0].charset, "");
}

const std::string nested = lines(R"(Content-Type: multipart/mixed; boundary="a b"

preamble
--a b
Content-Type: multipart/alternative; boundary=a

--a
Content-Type: text/plain; charset=KOI8-R

text
--a
Content-Type: text/html
Content-Transfer-Encoding: quoted-printable

<p>=41</p>
--a--
--a b
Content-Type: image/png; name="x/y.png"
Content-ID: <logo@x.example>
Content-Disposition: INLINE; filename="z.png"
Content-Transfer-Encoding: base64

aGk=

--a b--
epilogue
)");

TEST(MimeMessage, PartsAreFoundInTheirOrder) {
  const Message message = parse(nested);
  ASSERT_EQ(types(nested), (std::vector<std::string>{"text/plain", "text/html", "image/png"}));
  EXPECT_EQ(message.parts[0].charset, "koi8-r");
  EXPECT_EQ(message.parts[0].body, "text") << "the end of line before a delimiter is its own";
  EXPECT_EQ(decode(message.parts[1].encoding, message.parts[1].body), "<p>A</p>");
  const Part& image = message.parts[2];
  EXPECT_EQ(image.disposition, "inline");
  EXPECT_EQ(image.name, "z.png");
  EXPECT_EQ(image.content_id, "logo@x.example");
  EXPECT_EQ(image.body, "aGk=\r\n");
}

TEST(MimeMessage, WhatIsShownIsNoAttachment) {
  const std::string text = lines(R"(Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/html
Content-Disposition: attachment; filename=a.html

1
--b
Content-Type: text/html

2
--b--
)");
  const Message message = parse(text);
  EXPECT_EQ(shown_part(message, "text/html")->body, "2");
  EXPECT_EQ(shown_part(message, "text/plain"), nullptr);
}

TEST(MimeMessage, AMessageWithinIsOnePart) {
  const std::string within = "\n\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--c--\n--b--\n";
  EXPECT_EQ(types(lines("Content-Type: multipart/digest; boundary=b\n\n--b" + within)),
            std::vector<std::string>{"message/rfc822"});
  EXPECT_EQ(
      types(lines("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822" + within)),
      std::vector<std::string>{"message/rfc822"});
}

TEST(MimeMessage, BrokenMailGivesWhatThereIs) {
  EXPECT_EQ(types(""), std::vector<std::string>{"text/plain"});
  EXPECT_EQ(types("no header"), std::vector<std::string>{"text/plain"});
  EXPECT_EQ(parse(lines("Content-Type: multipart/mixed\n\nx\n")).parts[0].body, "x\r\n") << "no boundary";
  EXPECT_EQ(parse(lines("Content-Type: multipart/mixed; boundary=b\n\nx\n")).parts[0].body, "x\r\n")
      << "none found";
  const Message open = parse("Content-Type: multipart/mixed; boundary=b\n\n--b\n\nno end");
  ASSERT_EQ(open.parts.size(), 1u);
  EXPECT_EQ(open.parts[0].body, "no end") << "and lines may end with LF alone";
  EXPECT_EQ(types("Content-Type: multipart/mixed; boundary=b\n\n--b--\n"),
            std::vector<std::string>{"text/plain"});
  EXPECT_EQ(types("Content-Type: ../../x\n\nx"), std::vector<std::string>{"text/plain"});
}

TEST(MimeMessage, ADelimiterIsAWholeLine) {
  const Message message =
      parse("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--bc\nx --b\n--b- \n--b \t\n\ny\n--b--");
  ASSERT_EQ(message.parts.size(), 2u);
  EXPECT_EQ(message.parts[0].body, "--bc\nx --b\n--b- ");
  EXPECT_EQ(message.parts[1].body, "y");
}

TEST(MimeMessage, APartThatDoesNotEndEndsWithWhatItIsIn) {
  const std::string text =
      "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; "
      "boundary=i\n\n--i\n\ninner\n"
      "--o\n\nouter\n--o--\n";
  const Message message = parse(text);
  ASSERT_EQ(message.parts.size(), 2u);
  EXPECT_EQ(message.parts[0].body, "inner");
  EXPECT_EQ(message.parts[1].body, "outer");
}

TEST(MimeMessage, ACharsetIsAToken) {
  EXPECT_EQ(parse("Content-Type: text/html; charset=\"utf-8\r\n X: y\"\n\n").parts[0].charset, "utf-8");
  EXPECT_EQ(parse("Content-Type: text/html; charset=\"a; b=c\"\n\n").parts[0].charset, "a");
}

TEST(MimeMessage, DepthAndNumberAreBounded) {
  std::string deep;
  for (int i = 0; i < 500; ++i) {
    const std::string boundary = "b" + std::to_string(i);
    deep += "Content-Type: multipart/mixed; boundary=" + boundary + "\n\n--" + boundary + "\n";
  }
  const Message message = parse(deep);
  ASSERT_EQ(message.parts.size(), 1u);
  EXPECT_TRUE(message.parts[0].body.starts_with("--b20\n")) << "what is deeper is not divided";
  std::string many = "Content-Type: multipart/mixed; boundary=b\n\n";
  for (int i = 0; i < 5000; ++i) many += "--b\n\nx\n";
  EXPECT_EQ(parse(many).parts.size(), most_parts);
}

// One comparison a line: with one a dash this took seconds for each level.
TEST(MimeMessage, LinesOfDashesAreReadAtOnce) {
  const std::string boundary(196, '-');
  std::string text;
  for (int i = 10; i < 30; ++i)
    text += "Content-Type: multipart/mixed; boundary=\"" + boundary + std::to_string(i) + "\"\n\n--" +
            boundary + std::to_string(i) + "\n";
  for (int i = 0; i < 20'000; ++i) text += std::string(900, '-') + "\n";
  EXPECT_EQ(parse(text).parts.size(), 1u);
}

TEST(MimeMessage, AFieldIsTheFirstOfItsName) {
  EXPECT_EQ(field_body("A: 1\r\nsubject: 2\r\n 3\r\nSubject: 4\r\n", "Subject"), " 2\r\n 3\r\n");
  EXPECT_EQ(field_body("A: 1\r\n", "Subject"), "");
}

}  // namespace
}  // namespace relayd::mime
