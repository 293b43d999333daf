// Batch: a file of the drop folder, which is one SMTP transaction as its client would have said it.
//
// Both ends of the folder use this file. Its text, each line with CR LF:
//
//     relayd drop 1
//     MAIL FROM:<ann@example.com> SIZE=1200
//     RCPT TO:<bob@example.org>
//     RCPT TO:<eve@example.org>
//     DATA
//     (the message, dots doubled, as on the wire: RFC 5321 4.5.2)
//     .
//
// So the relay reads it with the session that reads every other client: no second parser, and no other rule
// about who may send what. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "shared/mail/envelope.hpp"

namespace relayd::drop {

inline constexpr std::string_view version_line = "relayd drop 1\r\n";

// A file has at most this many (RFC 5321 4.5.3.1.8); for more recipients there are more files.
inline constexpr std::uint32_t recipients_limit = 100;

// All lines up to and with DATA.
std::string head(const mail::Envelope& envelope, std::uint64_t size);

// Whether lines may stand in a head in this order, one after the other.
class HeadReader {
 public:
  // False: this line, without CR LF, may not stand here.
  bool read(std::string_view line);
  // DATA was there.
  bool done() const { return next_ == Next::message; }

 private:
  enum class Next { version, mail, first_rcpt, rcpt, message };
  Next next_ = Next::version;
  std::uint32_t recipients_ = 0;
};

}  // namespace relayd::drop
