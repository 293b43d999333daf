// Reports made at random of ordinary and of hostile pieces, the same ones for the same seed.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "tell/report.hpp"

namespace relayd::tell {

class RandomReport {
 public:
  explicit RandomReport(unsigned seed) : random_(seed) {}

  struct Made {
    Report report;
    std::size_t recipients = 0;
  };
  Made next() {
    mail::Envelope envelope;
    envelope.sender = one_of(senders());
    envelope.envelope_id = maybe(text());
    envelope.smtp_utf8 = chance();
    envelope.require_tls = random_() % 8 == 0;
    envelope.ret = chance() ? "FULL" : "HDRS";
    std::vector<ReportedRecipient> about;
    for (std::uint32_t i = 0; i <= random_() % 4; ++i) {
      envelope.recipients.push_back({text(), "", maybe("rfc822;" + text())});
      about.push_back({.recipient = i,
                       .code = chance()   ? 550
                               : chance() ? 451
                                          : 0,
                       .text = text(),
                       .host = maybe(text()),
                       .expired = chance()});
    }
    envelope.expanded = envelope.recipients;
    const std::vector<std::string> to = {envelope.sender};
    const std::string header = text() + maybe("\r\n\r\n");
    const std::string body = text() + text();
    return {compose({.kind = static_cast<Reported::Kind>(random_() % 4),
                     .hostname = "mail.example.com",
                     .from = "mailer-daemon@example.com",
                     .to = to,
                     .id = "1j0m0u4e32h",
                     .about = "1j0m0u4e32g",
                     .envelope = envelope,
                     .arrived = WallTime(std::chrono::seconds(1'795'266'000)),
                     .now = WallTime(std::chrono::seconds(1'795'266'090)),
                     .recipients = about,
                     .header = header,
                     .body = chance() ? std::optional<std::string_view>(body) : std::nullopt,
                     .content = chance() ? config::Bounce::Content::full : config::Bounce::Content::headers,
                     .random = {0x0123456789abcdef, 0xfedcba9876543210}}),
            about.size()};
  }

 private:
  bool chance() { return random_() % 2 == 0; }
  std::string maybe(std::string text) { return chance() ? std::move(text) : std::string(); }
  const std::string& one_of(const std::vector<std::string>& all) { return all[random_() % all.size()]; }
  std::string text() {
    std::string text;
    for (unsigned i = random_() % 12; i > 0; --i) text += one_of(pieces());
    return text;
  }

  // Those that a client may have.
  static const std::vector<std::string>& senders() {
    static const std::vector<std::string> all = {
        "ann@example.com", "\"a\\\"b c\"@example.com", "o'neil+x=y@[127.0.0.1]", "\xC3\xA5sa@example.com",
        std::string(64, 'l') + "@" + std::string(60, 'd') + "." + std::string(63, 'e') + ".example"};
    return all;
  }
  static const std::vector<std::string>& pieces() {
    using namespace std::string_literals;
    static const std::vector<std::string> all = {"\r\n",
                                                 "\r",
                                                 "\n",
                                                 "\r\n\r\n",
                                                 "--",
                                                 "--=_0123456789abcdeffedcba9876543210",
                                                 "--\r\n",
                                                 "\0"s,
                                                 "\x1B",
                                                 "\xC3\xA9",
                                                 "\xFF",
                                                 " ",
                                                 "\t",
                                                 "\r\nSubject: ",
                                                 "=?utf-8?b?w6k=?=",
                                                 "=?iso-8859-1?q?=E9=00=0D=0A?=",
                                                 "?=",
                                                 ":",
                                                 "5.1.1 ",
                                                 "Final-Recipient: rfc822; x",
                                                 "<a@b>",
                                                 "\r\nMessage-ID: <a@b>\r\n",
                                                 "\r\nContent-Type: multipart/mixed; boundary=x\r\n",
                                                 "\\x0A",
                                                 std::string(100, 'x'),
                                                 std::string(1200, 'y'),
                                                 "=",
                                                 "\"",
                                                 "a@b",
                                                 "\xE2\x80\xAE"};
    return all;
  }

  std::mt19937 random_;
};

}  // namespace relayd::tell
