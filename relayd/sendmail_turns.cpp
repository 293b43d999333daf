#include "sendmail_turns.hpp"

#include <algorithm>
#include <charconv>

#include "shared/base/ascii.hpp"

namespace relayd::command {

namespace {

constexpr std::size_t code_and_mark = 4;  // "250-" and "250 "

}  // namespace

SendmailTurns::Said SendmailTurns::verb_of(std::string_view line) {
  const std::string verb = ascii::upper(line.substr(0, line.find_first_of(" \t")));
  if (verb == "EHLO" || verb == "HELO" || verb == "RSET") return Said::start;
  if (verb == "MAIL") return Said::mail;
  if (verb == "RCPT") return Said::rcpt;
  if (verb == "DATA") return Said::data;
  return verb == "QUIT" ? Said::quit : Said::other;
}

void SendmailTurns::hear(std::string_view bytes) {
  for (const char c : bytes) {
    if (c != '\n') {
      if (reply_.size() < code_and_mark) reply_ += c;
      continue;
    }
    int code = 0;
    std::from_chars(reply_.data(), reply_.data() + reply_.size(), code);
    if (!reply_.ends_with('-')) on_reply(code);
    reply_.clear();
  }
}

void SendmailTurns::on_reply(int code) {
  if (turn_ != Turn::reply) return;
  judge(code);
  turn_ = Turn::command;
  if (code == 354) {
    turn_ = Turn::content;
    crlf_content_ = smtp::DataDecoder();
    lf_content_ = SendmailInput(true);
  } else if (said_ == Said::data && !pending_.empty()) {
    turn_ = Turn::stuck;
    if (refused_ == 0) refused_ = refusal_;
  } else if (said_ == Said::quit) {
    turn_ = Turn::over;
  } else if (said_ == Said::other && code == 220) {
    turn_ = Turn::tls;
  }
}

void SendmailTurns::judge(int code) {
  const bool of_transaction = said_ == Said::mail || said_ == Said::rcpt || said_ == Said::data;
  const bool good = code < 400;
  if (good && (said_ == Said::start || said_ == Said::mail)) refusal_ = 0;
  if (of_transaction && !good && refusal_ == 0) refusal_ = code;
  if (said_ != Said::content) return;
  if (!good && refused_ == 0) refused_ = code;
  refusal_ = 0;
}

std::string SendmailTurns::take() {
  std::string out;
  if (turn_ == Turn::command) take_command(out);
  if (turn_ == Turn::content) take_content(out);
  if (turn_ == Turn::tls) std::swap(out, pending_);
  return out;
}

void SendmailTurns::take_command(std::string& out) {
  if (finished_ && !pending_.empty() && !pending_.ends_with('\n')) pending_ += '\n';
  const std::size_t end = pending_.find('\n');
  if (end == std::string::npos) {
    if (full()) std::swap(out, pending_);  // too long a line, as the daemon will say at its end
    return;
  }
  std::string_view line = std::string_view(pending_).substr(0, end);
  line_feeds_ = !line.ends_with('\r');
  if (!line_feeds_) line.remove_suffix(1);
  out.append(line) += "\r\n";
  said_ = verb_of(line);
  pending_.erase(0, end + 1);
  turn_ = Turn::reply;
}

void SendmailTurns::take_content(std::string& out) {
  if (line_feeds_) {
    const std::size_t taken = lf_content_.feed(pending_, out);
    pending_.erase(0, taken);
    if (!lf_content_.ended()) return;
    out += ".\r\n";
  } else {
    std::string decoded;  // the daemon does that, too: here it tells the end
    const std::size_t taken = crlf_content_.feed(pending_, decoded);
    out.append(pending_, 0, taken);
    pending_.erase(0, taken);
    if (!crlf_content_.done()) return;
  }
  turn_ = Turn::reply;
  said_ = Said::content;
}

}  // namespace relayd::command
