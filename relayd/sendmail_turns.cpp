#include "sendmail_turns.hpp"

#include <algorithm>
#include <charconv>

#include "shared/base/ascii.hpp"

namespace relayd::command {

namespace {

constexpr std::size_t code_and_mark = 4;  // "250-" and "250 "

}  // namespace

void SendmailTurns::hear(std::string_view bytes) {
  for (const char c : bytes) {
    if (c != '\n') {
      if (reply_.size() < code_and_mark) reply_ += c;
      continue;
    }
    const bool last = !reply_.ends_with('-');
    if (last) on_reply(std::string_view(reply_).substr(0, code_and_mark - 1));
    reply_.clear();
  }
}

void SendmailTurns::on_reply(std::string_view code) {
  if (turn_ != Turn::reply) return;
  const bool to_starttls = code == "220" && greeted_;
  greeted_ = true;
  turn_ = code == "354" ? Turn::content : to_starttls ? Turn::tls : Turn::command;
  if (turn_ == Turn::content) {
    crlf_content_ = smtp::DataDecoder();
    lf_content_ = SendmailInput(true);
  } else if (said_data_ && !pending_.empty()) {
    turn_ = Turn::none;
    std::from_chars(code.data(), code.data() + code.size(), refused_);
  }
}

std::string SendmailTurns::take() {
  std::string out;
  if (turn_ == Turn::command) take_command(out);
  if (turn_ == Turn::content) take_content(out);
  if (turn_ == Turn::tls) std::swap(out, pending_);
  return out;
}

void SendmailTurns::take_command(std::string& out) {
  const std::size_t end = pending_.find('\n');
  if (end == std::string::npos) {
    if (full()) std::swap(out, pending_);  // too long a line, as the daemon will say at its end
    return;
  }
  std::string_view line = std::string_view(pending_).substr(0, end);
  line_feeds_ = !line.ends_with('\r');
  if (!line_feeds_) line.remove_suffix(1);
  out.append(line) += "\r\n";
  const std::size_t blank = line.find_last_not_of(" \t") + 1;
  said_data_ = ascii::equal_ignoring_case(line.substr(0, blank), "DATA");
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
  said_data_ = false;
}

}  // namespace relayd::command
