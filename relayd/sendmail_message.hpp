// The message that a program writes into sendmail: its lines made canonical, its header read and completed.
//
// Pure: octets in, octets out. Used by command::sendmail, between standard input and the daemon. What the
// daemon adds to every message (Received, Date, Message-ID) is not added here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.hpp"
#include "shared/mail/header.hpp"

namespace relayd::command {

// Lines as programs end them, with LF, CR LF or CR CR LF, become lines of CR LF. A CR alone ends none and
// stays as it is. The last line gets its end if it has none.
class SendmailInput {
 public:
  // `dot_ends`: a line with a lone dot ends the message, as on a terminal.
  explicit SendmailInput(bool dot_ends) : dot_ends_(dot_ends) {}

  // Appends to `out` what the next octets make of the message, and returns how many it took: all of them, or
  // those up to its end.
  std::size_t feed(std::string_view bytes, std::string& out);
  // Standard input has ended.
  void finish(std::string& out);
  // The line with the dot was there.
  bool ended() const { return state_ == State::ended; }

 private:
  enum class State { line_start, dot, text, ended };
  void end_line(std::string& out);
  void begin_text(std::string& out);

  bool dot_ends_;
  State state_ = State::line_start;
  std::size_t returns_ = 0;  // CRs that belong to the line's end if a LF is next
};

struct SendmailHeader {
  std::string fields;                   // as they are sent, with the empty line
  std::vector<std::string> recipients;  // of To, Cc and Bcc, or of the Resent- fields where there are any
};

// Reads the header block at the beginning of a message; `facts` are the scanner's about it. A CR alone
// becomes a space, so that nobody sees two fields in one. What mailbox files put in front
// (mail::is_mailbox_separator) is dropped. `from` becomes a From field where there is none. With
// `take_recipients` addresses are collected (RFC 5322 3.6.3, 3.6.6) and Bcc goes; one that cannot be read is
// an error, for nobody would hear of a recipient left out.
Result<SendmailHeader> complete_header(std::string_view block, const mail::HeaderFacts& facts,
                                       std::string_view from, bool take_recipients);

// `Ann Doe <ann@example.com>`: the name quoted, or as an encoded word (RFC 2047), where it must be; left out
// where it is too long for one.
std::string mailbox_with_name(std::string_view name, std::string_view address);

}  // namespace relayd::command
