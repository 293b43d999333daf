#include "submission.hpp"

#include <fmt/format.h>
#include <sysexits.h>

#include <algorithm>
#include <span>

#include "drop/batch.hpp"
#include "drop/writer.hpp"
#include "shared/smtp/capabilities.hpp"
#include "shared/smtp/data.hpp"
#include "shared/smtp/envelope_command.hpp"
#include "shared/smtp/reply.hpp"

namespace relayd::command {

namespace {

using smtp::Reply;
using Kind = SubmissionOutcome::Kind;
using Recipients = std::vector<mail::Recipient>;

// The daemon may check the whole message and wait for its disk (RFC 5321 4.5.3.2.6).
constexpr auto patience_at_the_dot = std::chrono::minutes(10);

// So many commands and their replies fit the kernel's buffers, whoever writes first.
constexpr std::size_t group_size = 100;

constexpr int too_many_recipients = 452;  // RFC 5321 4.5.3.1.10

// Thrown inside a dialogue that cannot go on; submit() catches it.
struct Stopped {
  SubmissionOutcome outcome;
};

[[noreturn]] void stop_at(const Reply& reply, int status, const std::string& what = {}) {
  const std::string text = (what.empty() ? what : what + ": ") + smtp::one_line(reply);
  if (!reply.permanent()) throw Stopped{{Kind::not_taken, EX_TEMPFAIL, "the daemon said " + text}};
  const bool forbidden = reply.enhanced.subject == 7 || reply.code == 530;  // RFC 3463 3.8
  throw Stopped{{Kind::refused, forbidden ? EX_NOPERM : status, text}};
}

[[noreturn]] void stop_lost() {
  throw Stopped{{Kind::not_taken, EX_TEMPFAIL, "the connection to the daemon broke"}};
}

template <class Take>
bool for_each_piece(const Submission& submission, Take take) {
  smtp::DataEncoder encoder;
  std::string wire;
  const auto encode = [&](std::string_view piece) {
    wire.clear();
    encoder.feed(piece, wire);
    return take(wire);
  };
  if (!encode(submission.header) || !submission.body.read(encode)) return false;
  wire.clear();
  encoder.finish(wire);
  return take(wire);
}

std::uint64_t size_of(const Submission& submission) {
  return submission.header.size() + submission.body.size();
}

class Dialogue {
 public:
  Dialogue(LocalConnection connection, const Submission& submission)
      : connection_(std::move(connection)), submission_(submission) {}

  void greet(const std::string& helo) {
    if (const Reply reply = next_reply(); !reply.positive()) stop_at(reply, EX_UNAVAILABLE);
    say(fmt::format("EHLO {}\r\n", helo));
    const Reply reply = next_reply();
    if (!reply.positive()) stop_at(reply, EX_UNAVAILABLE);
    capabilities_ = smtp::parse_capabilities(reply);
  }

  // Sends to as many as the daemon takes at once. Returns those that it wants in another transaction.
  Recipients send_to(const Recipients& recipients) {
    Recipients left = give_envelope(recipients);
    if (taken_ == 0) {  // and all who are left wait for a place in another transaction
      say("RSET\r\n");
      if (const Reply reply = next_reply(); !reply.positive()) stop_at(reply, EX_UNAVAILABLE);
      return left;
    }
    say("DATA\r\n");
    if (const Reply reply = next_reply(); !reply.intermediate()) stop_at(reply, EX_DATAERR);
    const bool sent =
        for_each_piece(submission_, [this](std::string_view piece) { return connection_.send(piece); });
    if (!sent) stop_lost();
    connection_.be_patient(patience_at_the_dot);
    const std::optional<Reply> reply = read_reply();
    if (!reply)
      throw Stopped{
          {Kind::in_doubt, EX_TEMPFAIL, "the connection broke after the message; it may be queued already"}};
    if (!reply->positive()) stop_at(*reply, EX_DATAERR);
    return left;
  }

  std::vector<std::string> refused() && { return std::move(refused_); }

  void quit() { connection_.send("QUIT\r\n"); }

 private:
  Recipients give_envelope(const Recipients& recipients) {
    say(smtp::mail_from(submission_.envelope, size_of(submission_), capabilities_));
    if (const Reply reply = next_reply(); !reply.positive()) stop_at(reply, EX_DATAERR);
    Recipients left;
    taken_ = 0;
    const std::size_t group = capabilities_.pipelining ? group_size : 1;
    for (std::size_t at = 0; at < recipients.size(); at += group)
      give_group(std::span(recipients).subspan(at, std::min(group, recipients.size() - at)), left);
    if (left.size() == recipients.size())
      throw Stopped{{Kind::not_taken, EX_TEMPFAIL, "the daemon takes no recipient at present"}};
    if (refused_.size() == submission_.envelope.recipients.size())
      stop_at(refusal_.second, EX_NOUSER, refusal_.first);
    return left;
  }

  void give_group(std::span<const mail::Recipient> group, Recipients& left) {
    std::string commands;
    for (const mail::Recipient& recipient : group) commands += smtp::rcpt_to(recipient, capabilities_);
    say(commands);
    for (const mail::Recipient& recipient : group) {
      const Reply reply = next_reply();
      if (reply.code == too_many_recipients)
        left.push_back(recipient);
      else if (reply.permanent())
        leave_out(recipient, reply);
      else if (!reply.positive())
        stop_at(reply, EX_NOUSER, recipient.address);
      else
        ++taken_;
    }
  }

  void leave_out(const mail::Recipient& recipient, const Reply& reply) {
    if (refused_.empty()) refusal_ = {recipient.address, reply};
    refused_.push_back(fmt::format("{}: {}", recipient.address, smtp::one_line(reply)));
  }

  void say(std::string_view bytes) {
    if (!connection_.send(bytes)) stop_lost();
  }

  Reply next_reply() {
    std::optional<Reply> reply = read_reply();
    if (!reply) stop_lost();
    return std::move(*reply);
  }

  // Nothing: the connection broke, or what came is no reply.
  std::optional<Reply> read_reply() {
    smtp::ReplyParser parser;
    for (;;) {
      received_.erase(0, parser.feed(received_));
      if (parser.state() == smtp::ReplyParser::State::complete) return parser.take();
      if (parser.state() == smtp::ReplyParser::State::malformed) return std::nullopt;
      char buffer[4096];
      const std::size_t count = connection_.receive(buffer);
      if (count == 0) return std::nullopt;
      received_.assign(buffer, count);
    }
  }

  LocalConnection connection_;
  const Submission& submission_;
  smtp::Capabilities capabilities_;
  std::size_t taken_ = 0;                  // recipients, of this transaction
  std::vector<std::string> refused_;       // of all
  std::pair<std::string, Reply> refusal_;  // the first of them
  std::string received_;
};

}  // namespace

SubmissionOutcome submit(LocalConnection connection, const std::string& helo, const Submission& submission) {
  Dialogue dialogue(std::move(connection), submission);
  Recipients left = submission.envelope.recipients;
  try {
    dialogue.greet(helo);
    while (!left.empty()) left = dialogue.send_to(left);
    dialogue.quit();
    return {.refused = std::move(dialogue).refused()};
  } catch (Stopped& stopped) {
    stopped.outcome.left = std::move(left);
    stopped.outcome.refused = std::move(dialogue).refused();
    return stopped.outcome;
  }
}

void leave_in_drop(const std::string& directory, const Submission& submission, const Recipients& recipients) {
  std::vector<drop::Writer> writers;
  for (std::size_t at = 0; at < recipients.size(); at += drop::recipients_limit) {
    mail::Envelope envelope = submission.envelope;
    const std::size_t end = std::min(recipients.size(), at + drop::recipients_limit);
    envelope.recipients.assign(recipients.begin() + static_cast<std::ptrdiff_t>(at),
                               recipients.begin() + static_cast<std::ptrdiff_t>(end));
    drop::Writer& writer = writers.emplace_back(directory);
    writer.write(drop::head(envelope, size_of(submission)));
    const bool whole = for_each_piece(submission, [&writer](std::string_view piece) {
      writer.write(piece);
      return true;
    });
    if (!whole) throw std::system_error(EIO, std::generic_category(), "cannot read the message back");
  }
  for (drop::Writer& writer : writers) writer.commit();
}

}  // namespace relayd::command
