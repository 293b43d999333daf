// Reports of one message, which a test changes before they are made, and a plain reading of them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tell/report.hpp"

namespace relayd::tell {

using namespace std::chrono_literals;

class ReportFixture : public testing::Test {
 protected:
  ReportFixture() {
    envelope.sender = "ann@example.com";
    envelope.recipients.push_back({"bob@customer.example", "", ""});
    one.code = 550;
    one.text = "5.1.1 no such user";
    one.host = "smtp.provider.example:587";
    one.last_attempt = arrived + 60s;
  }

  ReportFacts facts() {
    all.front() = one;
    return {.kind = kind,
            .hostname = hostname,
            .from = "mailer-daemon@example.com",
            .to = to,
            .id = "1j0m0u4e32h",
            .about = "1j0m0u4e32g",
            .envelope = envelope,
            .arrived = arrived,
            .now = arrived + 90s,
            .recipients = all,
            .next_attempt = next_attempt,
            .retry_until = retry_until,
            .delay = 4h,
            .header = header,
            .body = body,
            .content = content,
            .random = random};
  }
  // Makes it, and holds it to what all reports promise.
  Report report() {
    Report made = compose(facts());
    check_lines(made);
    return made;
  }
  std::string text() { return report().content; }
  // The header, then the three parts, each with its fields.
  std::vector<std::string> parts() { return parts_of(text()); }
  std::string status() { return parts()[2]; }
  std::string returned() { return parts()[3]; }

  static std::vector<std::string> parts_of(const std::string& content) {
    const std::string key = "boundary=\"";
    const std::size_t begin = content.find(key) + key.size();
    const std::string mark = "\r\n--" + content.substr(begin, content.find('"', begin) - begin);
    std::vector<std::string> found;
    std::size_t at = 0;
    for (std::size_t end; (end = content.find(mark, at)) != content.npos; at = end + mark.size())
      found.push_back(content.substr(at, end - at));
    EXPECT_EQ(content.substr(at), "--\r\n");
    EXPECT_EQ(found.size(), 4u);
    found.resize(4);
    return found;
  }

  static void check_lines(const Report& made) {
    std::string_view rest = made.content;
    while (!rest.empty()) {
      const std::size_t end = rest.find("\r\n");
      ASSERT_NE(end, rest.npos) << "the last line has no end";
      const std::string_view line = rest.substr(0, end);
      EXPECT_LE(line.size(), 998u);
      for (const char c : line) {
        EXPECT_TRUE(static_cast<unsigned char>(c) >= ' ' || c == '\t') << line;
        EXPECT_TRUE(static_cast<unsigned char>(c) < 0x7f || (c & 0x80 && made.envelope.smtp_utf8)) << line;
      }
      rest.remove_prefix(end + 2);
    }
  }

  static std::size_t count(const std::string& in, const std::string& what) {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = in.find(what, at)) != in.npos; at += what.size()) ++found;
    return found;
  }

  static constexpr WallTime arrived{std::chrono::seconds(1'795'266'000)};  // Sat, 21 Nov 2026 13:00:00 UTC
  Reported::Kind kind = Reported::Kind::failed;
  std::string hostname = "mail.example.com";
  std::vector<std::string> to{"ann@example.com"};
  mail::Envelope envelope;
  ReportedRecipient one;  // the first one of `all`
  std::vector<ReportedRecipient> all{{}};
  std::optional<WallTime> next_attempt;
  std::optional<WallTime> retry_until;
  std::string header =
      "Received: from app\r\n\tby mail.example.com\r\nSubject: Invoice 17\r\nMessage-ID: "
      "<17@example.com>\r\nFrom: ann@example.com\r\n\r\n";
  std::optional<std::string> body = "Dear Bob,\r\n";
  config::Bounce::Content content = config::Bounce::Content::headers;
  std::array<std::uint64_t, 2> random{0x0123456789abcdef, 0xfedcba9876543210};
};

}  // namespace relayd::tell
