#include "watch/captured_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shared/base/base64.hpp"

namespace relayd::watch {
namespace {

using testing::HasSubstr;

std::string related(const std::string& html, const std::string& type = "image/png",
                    const std::string& image = "aGk=") {
  return "Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html; charset=x-a\n\n" +
         html + "\n--b\nContent-Type: " + type +
         "\nContent-ID: <logo@x>\nContent-Transfer-Encoding: base64\n\n" + image + "\n--b--\n";
}

std::string framed(const std::string& text) {
  const mime::Message message = mime::parse(text);
  return framed_html(message, *mime::shown_part(message, "text/html"));
}

TEST(CapturedText, ImagesOfTheMessageArePutIn) {
  const std::string data = "data:image/png;base64,aGk=";
  EXPECT_EQ(framed(related("<img src=\"cid:logo@x\">")), "<img src=\"" + data + "\">");
  EXPECT_EQ(framed(related("<img src=CID:logo%40x alt=cid:logo@x>")),
            "<img src=" + data + " alt=" + data + ">");
  EXPECT_EQ(framed(related("url(cid:logo@x)")), "url(" + data + ")");
  EXPECT_EQ(framed(related("acid:logo@x \"cid:other@x\"")), "acid:logo@x \"cid:other@x\"");
  EXPECT_EQ(framed(related("\"cid:")), "\"cid:");
}

TEST(CapturedText, NothingElseThanAnImageIs) {
  for (const char* type : {"text/html", "application/pdf", "image/x\"onload=\"", "text/css"})
    EXPECT_THAT(framed(related("<img src=\"cid:logo@x\">", type)), HasSubstr("cid:logo@x")) << type;
}

TEST(CapturedText, ImagesAndHtmlAreBounded) {
  std::string many;
  for (int i = 0; i < 600; ++i) many += " cid:logo@x";
  const std::string small = framed(related(many));
  EXPECT_THAT(small, HasSubstr("data:"));
  EXPECT_THAT(small, testing::EndsWith("cid:logo@x"));
  const std::string image = base64::encode(std::string(3 << 20, 'x'));
  EXPECT_LE(framed(related("=cid:logo@x =cid:logo@x =cid:logo@x", "image/png", image)).size(),
            most_images + 1000);
  EXPECT_EQ(framed(related(std::string(3 << 20, 'x'))).size(), most_html);
}

TEST(CapturedText, LinksLeadNowhere) {
  EXPECT_EQ(framed(related("<a href=\"x\">href</a>")), "<a hre&#102;=\"x\">href</a>");
  EXPECT_EQ(framed(related("<a HREF \n\t=x>")), "<a HRE&#70; \n\t=x>");
  EXPECT_EQ(framed(related("<a xlink:href=x>")), "<a xlink:hre&#102;=x>");
  EXPECT_EQ(framed(related("<a h\x1b(Bref\x1b(J=x>")), "<a h\x1b(Bre&#102;\x1b(J=x>") << "ISO-2022-JP";
  EXPECT_EQ(framed(related("<set attributeName='href'>")), "<set attributeNam&#101;='href'>");
  EXPECT_EQ(framed(related("href hre=f hrefx= iframe")), "href hre=f hrefx= iframe");
  EXPECT_EQ(framed(related("<IFRAME src=x><object data=x>")), "<IFRAM&#69; src=x><objec&#116; data=x>");
  EXPECT_EQ(framed(related("\xff\xfe<")).front(), ' ');
}

TEST(CapturedText, ATypeSaysTheCharsetOfTheMail) {
  const mime::Message message = mime::parse(related("x"));
  EXPECT_EQ(framed_type(message.parts[0]), "text/html; charset=x-a");
  EXPECT_EQ(framed_type(mime::Part{}), "text/html; charset=utf-8");
  mime::Part wide;
  wide.charset = "utf-16le";
  EXPECT_EQ(framed_type(wide), "text/html; charset=utf-8") << "links would not be found in it";
}

TEST(CapturedText, ANameIsWrittenSoThatItEndsNowhere) {
  EXPECT_EQ(attachment_of("a.pdf"), "attachment; filename=\"a.pdf\"; filename*=UTF-8''a.pdf");
  EXPECT_EQ(attachment_of("é\"; x\r\ny"),
            "attachment; filename=\"_____x__y\"; filename*=UTF-8''%C3%A9%22%3B%20x%0D%0Ay");
}

TEST(CapturedText, HeadersAreAsPeopleReadThem) {
  const Heading heading = read_heading(
      "Subject: =?utf-8?q?Gr=C3=BC?=\r\n =?UTF-8*de?b?w59l?=\r\nFrom: =?koi8-r?b?8A==?= <a@x>\r\nTo:  "
      "b@x,\r\n  c@x\r\n");
  EXPECT_EQ(heading.subject, "Grüße");
  EXPECT_EQ(heading.from, "=?koi8-r?b?8A==?= <a@x>") << "for a reader who knows that charset";
  EXPECT_EQ(heading.to, "b@x, c@x");
  EXPECT_EQ(heading.cc, "");
}

TEST(CapturedText, AMessageIsDescribedByItsParts) {
  const std::string text = related("<p>x</p>");
  const nlohmann::json object = describe_message(mime::parse(text));
  EXPECT_EQ(object["parts"].size(), 2u);
  EXPECT_EQ(object["html"], (nlohmann::json{{"part", 1}, {"cut", false}}));
  EXPECT_FALSE(object.contains("text"));
  EXPECT_EQ(object["parts"][1]["name"], "part-2");
  EXPECT_EQ(object["parts"][1]["size"], 2);
  EXPECT_EQ(object["parts"][1]["content_id"], "logo@x");
}

TEST(CapturedText, AnEnvelopeIsWhatCanBeReadOfIt) {
  const Envelope envelope =
      read_envelope(R"({"sender": "a@x", "recipients": ["b@x", 5], "client": [], "smtp_utf8": true})");
  EXPECT_EQ(envelope.sender, "a@x");
  EXPECT_THAT(envelope.recipients, testing::ElementsAre("b@x"));
  EXPECT_EQ(envelope.client, "");
  EXPECT_TRUE(envelope.smtp_utf8);
  EXPECT_EQ(read_envelope("[").sender, "");
}

}  // namespace
}  // namespace relayd::watch
