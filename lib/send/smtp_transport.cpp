#include "send/smtp_transport.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/smtp/data.hpp"
#include "shared/smtp/envelope_command.hpp"

namespace relayd::send {

using async::IoError;
using async::IoFault;
using async::Task;
using smtp::Reply;
using smtp::Stage;
using smtp::Trouble;

namespace {

constexpr std::size_t block_size = 64 * 1024;
// Commands that may be unanswered at a time: their replies fit any socket's buffer, so that we never write
// while the server cannot (RFC 2920 3.1).
constexpr std::size_t group_size = 100;

// It has not heard the commands before this one, or not the whole of this one (RFC 5321 4.2.2).
bool missed_commands(const Reply& reply) {
  return reply.code == 500 || reply.code == 502 || reply.code == 503;
}

// The server does not stand commands that come before its reply to the last ones.
bool dislikes_groups(const Reply& reply) {
  return missed_commands(reply) || ascii::contains_ignoring_case(reply.text, "pipelining") ||
         ascii::contains_ignoring_case(reply.text, "synchroni");
}

// The server closed the connection before it heard of the message.
bool closed_before_mail(const Report& report) {
  if (report.recipients.empty()) return false;
  const Event& event = report.recipients.front().event;
  return event.stage == Stage::mail &&
         (event.trouble == Trouble::broken || (!event.trouble && event.reply.code == 421));
}

// It answers with one of these codes, and has taken nothing.
bool answers_all(const Report& report, std::initializer_list<int> codes) {
  return !report.recipients.empty() &&
         std::ranges::all_of(report.recipients, [codes](const RecipientEvent& entry) {
           return !entry.event.trouble && entry.event.stage < Stage::final_dot &&
                  std::ranges::find(codes, entry.event.reply.code) != codes.end();
         });
}

}  // namespace

SmtpTransport::SmtpTransport(async::Loop& loop, async::Workers& workers, async::Dialer& dialer, Target target,
                             FetchCredential fetch, OnLogin on_login, OnOffer on_offer, Contacts* contacts)
    : workers_(workers),
      tunnel_(target.proxy ? std::make_unique<proxy::TunnelDialer>(dialer, *target.proxy) : nullptr),
      dialer_(tunnel_ ? *tunnel_ : dialer),
      target_(std::move(target)),
      hosts_(dialer, target_),
      fetch_(std::move(fetch)),
      on_login_(std::move(on_login)),
      on_offer_(std::move(on_offer)),
      contacts_(contacts ? *contacts : nobodys_),
      conversation_(loop) {}

// --- a transaction ---

// It wants a login first (RFC 4954 6), after it had taken mail. One by a token may have ended with that: then
// what the account is told is not about it.
bool SmtpTransport::has_lost_login(const Report& report) const {
  if (!carried_mail_) return false;
  const bool ended = by_token_ && (!token_until_ || *token_until_ <= conversation_.within(Duration::zero()));
  return answers_all(report, {530}) || (ended && answers_all(report, {454, 535}));
}

Report SmtpTransport::describe() const {
  Report report;
  report.port = target_.port;
  if (conversation_.connected()) report.host = hosts_.now().text();
  report.tls = conversation_.tls().version;
  report.dsn = capabilities_.dsn;
  return report;
}

// RFC 8689 4.2.1: TLS with the server that is meant.
bool SmtpTransport::is_assured() const {
  return conversation_.tls().verified && hosts_.now().assured;
}

std::optional<Event> SmtpTransport::cannot_take(const Delivery& delivery) const {
  for (const std::uint64_t limit : {capabilities_.size_limit, target_.size_limit})
    if (limit != 0 && delivery.size() > limit)
      return Event(
          Stage::mail, Trouble::too_large,
          fmt::format("the message has {} octets, {} takes {}", delivery.size(), hosts_.now().name, limit));
  const mail::Envelope& envelope = delivery.envelope();
  if (envelope.require_tls && !is_assured())
    return Event(Stage::mail, Trouble::no_extension,
                 fmt::format("5.7.30 the message demands verified TLS (REQUIRETLS); {} is reached without",
                             hosts_.now().name));
  const std::optional<smtp::Lack> lack = smtp::find_lack(envelope, capabilities_);
  if (!lack) return std::nullopt;
  return Event(Stage::mail, Trouble::no_extension,
               fmt::format("{} the message needs {}, which {} does not offer",
                           smtp::to_string(lack->enhanced), lack->extension, hosts_.now().name));
}

Task<Report> SmtpTransport::send(Delivery& delivery, Follow& follow) {
  Report report = describe();
  const bool announced = answers_.delivery == &delivery;
  std::optional<Event> event = announced ? std::nullopt : cannot_take(delivery);
  if (!event) {
    try {
      if (!announced) co_await ask(delivery);
      co_await transact(delivery, report, follow);
    } catch (const IoError& error) {
      event = conversation_.trouble_of(error);
      // The dot was not answered, nor was what rode behind it.
      report.out_of_step |= event->stage == Stage::final_dot && answers_.delivery && !aborted_;
      usable_ = false;
      conversation_.close();
    }
  }
  if (event) report.add_rest(delivery, *event);
  const bool login_is_lost = has_lost_login(report);
  report.untried = login_is_lost || (carried_mail_ && closed_before_mail(report));
  carried_mail_ = true;
  // Another connection shows whether the account may still do it.
  if (login_is_lost || answers_all(report, {530})) co_await close();
  // An answer that nobody asked for: the next one would be taken for another command's.
  if (conversation_.has_unread()) usable_ = false;
  co_return report;
}

// RSET where the last transaction was not finished, MAIL, RCPT for each recipient, DATA.
std::vector<std::string> SmtpTransport::envelope_commands(const Delivery& delivery) {
  std::vector<std::string> lines;
  if (needs_reset_) lines.emplace_back("RSET\r\n");
  answers_ = {};
  answers_.delivery = &delivery;
  answers_.mail_at = lines.size();
  lines.push_back(smtp::mail_from(delivery.envelope(), delivery.size(), capabilities_));
  for (const std::uint32_t recipient : delivery.recipients())
    lines.push_back(smtp::rcpt_to(delivery.envelope().recipients[recipient], capabilities_));
  lines.emplace_back("DATA\r\n");
  answers_.commands = lines.size();
  return lines;
}

// The commands in groups where the server pipelines (RFC 2920), else one by one, as long as they make sense.
Task<void> SmtpTransport::ask(const Delivery& delivery) {
  const std::vector<std::string> lines = envelope_commands(delivery);
  const std::size_t group = capabilities_.pipelining ? group_size : 1;
  conversation_.stage = Stage::mail;
  while (!answers_.complete()) {
    const bool only_data_left = answers_.count + 1 == lines.size();
    if (answers_.refused || (only_data_left && answers_.accepted == 0)) co_return;
    const std::size_t end = std::min(answers_.count + group, lines.size());
    const auto from = lines.begin();
    const auto first = from + static_cast<std::ptrdiff_t>(answers_.count);
    co_await conversation_.write(
        fmt::format("{}", fmt::join(first, from + static_cast<std::ptrdiff_t>(end), "")), patience::envelope);
    co_await read_answers(end, patience::envelope);
  }
}

Task<void> SmtpTransport::read_answers(std::size_t until, Duration most) {
  while (answers_.count < until && !answers_.closing) {
    const bool data = answers_.count + 1 == answers_.commands;
    conversation_.stage = answers_.count <= answers_.mail_at ? Stage::mail : data ? Stage::data : Stage::rcpt;
    const Duration usual = data ? patience::data : patience::envelope;
    Reply reply = co_await conversation_.read_reply(std::min(most, usual));
    needs_reset_ = true;
    take_answer(answers_, std::move(reply));
    if (answers_.closing) usable_ = false;
  }
}

void SmtpTransport::take_answer(Answers& answers, Reply reply) const {
  const std::size_t number = answers.count++;
  const Stage stage = conversation_.stage;
  if (reply.code == 421) {  // RFC 5321 3.8: the server closes; the other replies of the group never come
    answers.closing = true;
    answers.refused = Event(stage, std::move(reply));
    return;
  }
  if (number < answers.mail_at) return;
  const bool data = stage == Stage::data;
  const bool good = data ? reply.code == 354 : reply.positive();
  answers.ready = data && good;
  answers.out_of_step |= data ? reply.positive() : reply.intermediate();
  answers.out_of_step |=
      good && stage != Stage::mail && answers.refused && answers.refused->stage == Stage::mail;
  if (good && stage == Stage::rcpt) ++answers.accepted;
  if (good || answers.refused) return;
  if (stage == Stage::rcpt) {
    answers.disliked |= missed_commands(reply);
    answers.refusals.push_back(
        {answers.delivery->recipients()[number - answers.mail_at - 1], Event(stage, std::move(reply))});
  } else if (stage == Stage::mail || answers.accepted > 0) {
    answers.disliked |= dislikes_groups(reply);
    answers.refused = Event(stage, std::move(reply));
  }
}

// What was answered to the envelope decides whether there is content to be sent.
Task<void> SmtpTransport::transact(Delivery& delivery, Report& report, Follow& follow) {
  Answers answers = std::exchange(answers_, {});
  if (answers.out_of_step && answers.accepted > 0 && !answers.refusals.empty()) {  // whose is which?
    usable_ = false;
    conversation_.close();
    report.out_of_step = true;
    report.add_rest(delivery,
                    Event(Stage::data, Trouble::malformed, "the server's replies do not fit the commands"));
    co_return;
  }
  report.recipients = std::move(answers.refusals);
  if (answers.refused) report.add_rest(delivery, *answers.refused);
  const bool wanted = answers.accepted > 0 && !answers.refused;
  if (answers.ready && wanted) {
    co_await send_content(delivery, report, follow);
  } else if (answers.ready && answers.accepted == 0) {
    co_await send_nothing();
  } else if (answers.ready) {  // somebody would get it
    usable_ = false;
    conversation_.close();
  }
}

// Pipelined past a refusal, and the server wants content: an empty message that nobody gets (RFC 2920 3.1).
Task<void> SmtpTransport::send_nothing() {
  co_await conversation_.command(".\r\n", patience::final_dot);
}

Task<void> SmtpTransport::send_content(Delivery& delivery, Report& report, Follow& follow) {
  conversation_.stage = Stage::data;
  smtp::DataEncoder encoder;
  std::string wire;
  for (;;) {
    const std::string_view piece = co_await delivery.next();
    if (piece.empty()) break;
    encoder.feed(piece, wire);
    if (wire.size() < block_size) continue;
    const bool sent = co_await deliver(wire, report, delivery);
    if (!sent) co_return;
    wire.clear();
  }
  encoder.finish(wire);
  if (capabilities_.pipelining && target_.pipelining == Pipelining::ahead && !target_.lmtp) {
    const Delivery* const next = co_await follow.next();
    report.was_followed = next && announce(*next, wire);
  }
  const std::vector<std::uint32_t> takers = report.rest(delivery);
  co_await delivery.before_final_dot(takers);
  // The last of the content and the final dot leave in one write: a dot alone would wait for an ACK.
  conversation_.stage = Stage::final_dot;
  const bool sent = co_await deliver(wire, report, delivery);
  if (!sent) co_return;
  if (report.was_followed) {
    co_await conclude(delivery, report);
    co_return;
  }
  co_await read_final_replies(report, delivery);
}

// One for all recipients that were taken; in LMTP one for each of them, in their order. A 421 is the last:
// the server closes, and has taken nothing for the rest.
Task<void> SmtpTransport::read_final_replies(Report& report, const Delivery& delivery) {
  const std::vector<std::uint32_t> takers = report.rest(delivery);
  const std::size_t replies = target_.lmtp ? takers.size() : 1;
  bool closing = false;
  for (std::size_t i = 0; i < replies && !closing; ++i) {
    Reply reply = co_await conversation_.read_reply(patience::final_dot);
    needs_reset_ = false;
    closing = reply.code == 421;
    const Event event(Stage::final_dot, std::move(reply));
    if (closing || i + 1 == replies)
      report.add_rest(delivery, event);
    else
      report.recipients.push_back({takers[i], event});
  }
  if (closing) usable_ = false;
  // More replies than there were recipients: all have theirs, yet this server had better not be hurried.
  report.out_of_step |= target_.lmtp && !closing && conversation_.has_unread();
}

// Writes content. A server that has heard enough says why, closes, and makes the write fail: false then, and
// its last words are reported.
Task<bool> SmtpTransport::deliver(std::string_view wire, Report& report, const Delivery& delivery) {
  std::exception_ptr failure;
  try {
    co_await conversation_.write(wire, patience::block);
  } catch (const IoError& error) {
    if (error.fault() != IoFault::reset) throw;
    failure = std::current_exception();
  }
  if (!failure) co_return true;
  std::optional<Reply> reply;
  try {
    reply = co_await conversation_.read_reply(patience::last_words);
  } catch (const IoError&) {
    // It left without a word.
  }
  usable_ = false;
  report.out_of_step |= !reply && answers_.delivery && !aborted_;
  answers_ = {};
  conversation_.close();
  if (!reply || reply->code < 400) std::rethrow_exception(failure);
  const Event event(conversation_.stage, std::move(*reply));
  const bool is_of_one = target_.lmtp && event.reply.code != 421;
  if (is_of_one) {  // the first, and nothing is known of the others
    report.recipients.push_back({report.rest(delivery).front(), event});
    std::rethrow_exception(failure);
  }
  report.add_rest(delivery, event);
  co_return false;
}

// Puts the next message's commands behind the final dot of the current one.
bool SmtpTransport::announce(const Delivery& delivery, std::string& wire) {
  if (cannot_take(delivery) || delivery.recipients().size() + 2 > group_size) return false;
  needs_reset_ = false;  // the final dot ends the current transaction
  for (const std::string& line : envelope_commands(delivery)) wire += line;
  return true;
}

// The reply to the final dot, and those to the commands behind it. Nothing of these decides about the current
// message, but that they make sense.
Task<void> SmtpTransport::conclude(const Delivery& delivery, Report& report) {
  Reply reply = co_await conversation_.read_reply(patience::final_dot);
  answers_.closing = reply.code == 421;
  answers_.out_of_step = reply.intermediate();
  bool unanswered = false;
  try {
    // Once they are out of step, the rest may never come.
    while (!answers_.complete() && !answers_.out_of_step)
      co_await read_answers(answers_.count + 1, patience::behind_dot);
  } catch (const IoError& error) {
    usable_ = false;
    unanswered = !aborted_;  // it threw away what came before its own reply, or could not stand it
    answers_.out_of_step |= error.fault() == IoFault::protocol;
  }
  if (answers_.closing) report.farewell = answers_.refused;
  report.out_of_step = answers_.out_of_step || answers_.disliked || unanswered;
  if (answers_.out_of_step)
    report.add_rest(delivery, Event(Stage::final_dot, Trouble::malformed,
                                    "the server's replies do not fit the commands that rode behind the "
                                    "message: it may have been taken"));
  else
    report.add_rest(delivery, Event(Stage::final_dot, std::move(reply)));
  if (!report.out_of_step && usable_ && !answers_.closing) co_return;
  usable_ = false;
  answers_ = {};
  conversation_.close();
}

// --- waiting and leaving ---

Task<bool> SmtpTransport::idle(Deadline deadline) {
  woken_ = false;
  char byte = 0;
  try {
    // A server that has something to say now says 421, or has gone.
    co_await conversation_.stream().read_some({&byte, 1}, deadline);
  } catch (const IoError&) {
    if (woken_ && !aborted_) co_return true;
  }
  usable_ = false;
  co_return woken_;
}

void SmtpTransport::wake() {
  woken_ = true;
  conversation_.stream().interrupt();
}

Task<void> SmtpTransport::close() {
  usable_ = false;
  if (!conversation_.connected()) co_return;
  try {
    const bool listening = conversation_.stage != Stage::starttls && conversation_.stage != Stage::connect;
    if (!aborted_ && listening) co_await conversation_.command("QUIT\r\n", patience::quit);
  } catch (const IoError&) {
    // The server left first.
  }
  conversation_.close();
}

void SmtpTransport::abort() {
  aborted_ = true;
  stop_dial_.request_stop();
  conversation_.close();
}

}  // namespace relayd::send
