// SendmailTurns: SMTP from standard input, handed to the daemon in turns.
//
// Pure: octets in, octets out. Used by `sendmail -bs`, which a program may write a whole dialogue into
// without reading a reply. To the daemon that is what a stranger does who talks into a port, and it hangs up;
// so a command leaves when the reply to the one before it has come, and content when it was asked for.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sendmail_message.hpp"
#include "shared/smtp/data.hpp"

namespace relayd::command {

class SendmailTurns {
 public:
  // From standard input. Lines end with CR LF or LF; those of a message end as its DATA did, for who writes
  // CR LF may have any LF in the text.
  void feed(std::string_view bytes) { pending_ += bytes; }
  // From the daemon.
  void hear(std::string_view bytes);
  // What may leave now.
  std::string take();

  // It is the daemon's turn.
  bool waiting() const { return turn_ == Turn::reply; }
  bool in_content() const { return turn_ == Turn::content; }
  // Much is waiting for its turn: no more need be read.
  bool full() const { return pending_.size() >= enough; }
  // DATA was refused, with this code, when something stood behind it already. That is content, and none of
  // it leaves. 0: no.
  int refused() const { return refused_; }

 private:
  static constexpr std::size_t enough = 64 * 1024;
  enum class Turn {
    reply,    // the daemon's
    command,  // the program's
    content,
    tls,  // nothing of it can be read
    none,
  };
  void on_reply(std::string_view code);
  void take_command(std::string& out);
  void take_content(std::string& out);

  Turn turn_ = Turn::reply;  // the greeting
  std::string pending_;
  std::string reply_;  // the beginning of the present line of a reply
  bool greeted_ = false;
  bool said_data_ = false;
  bool line_feeds_ = false;  // the last command ended with a LF alone
  int refused_ = 0;
  smtp::DataDecoder crlf_content_{};
  SendmailInput lf_content_{true};
};

}  // namespace relayd::command
