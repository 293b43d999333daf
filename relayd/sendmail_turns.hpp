// SendmailTurns: SMTP from standard input, each command after the reply to the one before it.
//
// Pure: octets in, octets out. A program may write a whole dialogue into `sendmail -bs` without reading
// replies. The daemon takes that for an attack and hangs up. So this class sends each command only after the
// reply to the one before it, and content only after 354.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sendmail_message.hpp"
#include "shared/smtp/data.hpp"

namespace relayd::command {

class SendmailTurns {
 public:
  // From standard input. Lines end with CR LF or LF. The lines of a message end as its DATA did: with CR LF
  // there, a LF is text.
  void feed(std::string_view bytes) { pending_ += bytes; }
  // Standard input has ended: a command that stands there without a line end is whole.
  void finish() { finished_ = true; }
  // From the daemon.
  void hear(std::string_view bytes);
  // What may be sent now.
  std::string take();

  // A reply is awaited.
  bool waiting() const { return turn_ == Turn::reply; }
  bool in_content() const { return turn_ == Turn::content; }
  // Much waits to be sent: no more need be read.
  bool full() const { return pending_.size() >= enough; }
  // DATA was refused, and something stands behind it already. That is content, and none of it is sent.
  bool stuck() const { return turn_ == Turn::stuck; }
  // Nothing is left to be said, and the reply to all of it has come.
  bool done() const {
    return turn_ == Turn::over || (turn_ != Turn::reply && !in_content() && pending_.empty());
  }
  // The code of the first message of which content was refused, by DATA when stuck or after the final dot; 0:
  // none. Of that transaction it is the first refusal: after a MAIL with 451, DATA has 503.
  int refused() const { return refused_; }

 private:
  static constexpr std::size_t enough = 64 * 1024;
  enum class Turn {
    reply,  // to be awaited
    command,
    content,
    tls,    // all of it is sent: nothing of it can be read
    stuck,  // nothing is sent
    over,   // QUIT was answered; nothing is sent
  };
  enum class Said {
    nothing,  // the greeting is awaited
    start,    // EHLO, HELO, RSET: there is no transaction behind it
    mail,
    rcpt,
    data,
    content,  // to its final dot
    quit,
    other,
  };
  static Said verb_of(std::string_view line);
  void on_reply(int code);
  void judge(int code);
  void take_command(std::string& out);
  void take_content(std::string& out);

  Turn turn_ = Turn::reply;
  Said said_ = Said::nothing;  // last
  std::string pending_;
  std::string reply_;  // the beginning of the present line of a reply
  bool finished_ = false;
  bool line_feeds_ = false;  // the last command ended with a LF alone
  int refusal_ = 0;          // the first of the present transaction
  int refused_ = 0;
  smtp::DataDecoder crlf_content_{};
  SendmailInput lf_content_{true};
};

}  // namespace relayd::command
