#include "accept/session.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "accept/rules.hpp"
#include "shared/mail/address.hpp"

namespace relayd::accept {

using async::IoError;
using async::Task;
using config::TlsMode;
using smtp::EnhancedCode;
using smtp::Reply;

namespace {

// After so many errors a client is broken or hostile; RFC 5321 4.3.2 lets us say 421 at any time.
constexpr unsigned errors_until_close = 20;
constexpr unsigned idle_commands_allowed = 100;

// From MAIL to DATA, however patient we are with each command (RFC 5321 4.5.3.2.7).
constexpr auto transaction_limit = std::chrono::hours(1);

// A client that has to log in before it may send does so in this time, whatever it says meanwhile; each login
// that failed gives it as much again. Until then it only holds a connection.
constexpr auto login_limit = std::chrono::minutes(1);

// RFC 5321 4.5.3.1.10: a client may try more recipients than are taken. After so many each is an error.
constexpr unsigned excess_recipients_allowed = 1000;

// What other protocols begin with where a command is due, and whose line may never end: a TLS handshake
// (RFC 8446 5.1), and the binary header of the PROXY protocol.
constexpr std::string_view client_hello = "\x16";
constexpr std::string_view proxy_header("\r\n\r\n\0", 5);

// Verbs that no mail client says: something else is at the other end, perhaps a browser made to speak to us.
bool is_foreign_protocol(std::string_view verb) {
  for (const std::string_view foreign :
       {"GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS", "PRI", "HOST:", "PROXY"})
    if (verb == foreign) return true;
  return false;
}

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

Session::Session(Surroundings surroundings, std::shared_ptr<const config::Config> config,
                 const config::Listener& listener, std::unique_ptr<async::Stream> stream)
    : around_(surroundings), config_(std::move(config)), listener_(listener), stream_(std::move(stream)) {
  facts_.client = stream_->peer();
  facts_.listener = listener_.address;
  facts_.provider_headers = listener_.provider_headers;
}

Task<void> Session::run() {
  try {
    co_await converse();
    co_await send();
  } catch (const IoError& error) {
    // The client is gone, or too slow: an unfinished message went with it.
    around_.log.debug("session_ended", {{"client", facts_.client}, {"reason", error.what()}});
  }
  stream_->close();
}

void Session::shut_down() {
  stopping_ = true;
  if (leaving()) stream_->interrupt();
}

void Session::abort() {
  aborted_ = true;
  async::Event* const pause = pause_;
  stream_->close();
  if (pause) pause->set();
}

Task<void> Session::pause_until(SteadyTime when) {
  if (aborted_) co_return;
  async::Event over;
  async::Timer timer(around_.loop);
  timer.at(when, [&over] { over.set(); });
  pause_ = &over;
  co_await over;
  pause_ = nullptr;
}

// --- bytes ---

Task<std::optional<smtp::LineBuffer::Line>> Session::next_line(Deadline deadline) {
  for (;;) {
    std::optional<smtp::LineBuffer::Line> line = input_.line();
    if (line) co_return line;
    co_await send();
    if (leaving()) co_return std::nullopt;  // shut_down() came while there was no read to interrupt
    input_.shrink();
    const std::span<char> space = input_.space();
    const std::size_t count = co_await stream_->read_some(space, deadline);
    if (count == 0) co_return std::nullopt;
    input_.filled(count);
    if (!greeted_ && (input_.rest().starts_with(client_hello) || input_.rest().starts_with(proxy_header)))
      co_return smtp::LineBuffer::Line{client_hello, false};
  }
}

// Replies of a pipelined group leave together (RFC 2920 3.2): when nothing more has come.
Task<void> Session::send() {
  if (output_.empty()) co_return;
  sending_.clear();
  std::swap(sending_, output_);
  co_await stream_->write(sending_, around_.loop.now() + config_->limits.command_timeout);
}

void Session::answer(int code, smtp::EnhancedCode enhanced, std::string_view text) {
  smtp::append_reply(output_, code, enhanced, text);
}

Session::After Session::answer_error(const Reply& reply) {
  answer(reply);
  if (around_.stands_errors || ++errors_ < errors_until_close) return After::go_on;
  answer(421, {4, 7, 0}, "Too many errors");
  return After::close;
}

Session::After Session::answer_idle(const Reply& reply) {
  if (++idle_commands_ > idle_commands_allowed) return answer_error(reply);
  answer(reply);
  return After::go_on;
}

bool Session::may_send() const {
  return !check_client(listener_, facts_.client, !facts_.account.empty(), !facts_.tls.empty()).has_value();
}

Task<void> Session::keep_to(RateLimit& limit) {
  if (may_send() || is_local(facts_.client)) co_return;
  if (around_.penalties.knows(facts_.client, around_.loop.now())) {
    const SteadyTime of_known = limit.next_for_known(around_.loop.now());
    if (of_known > around_.loop.now()) co_await pause_until(of_known);
    co_return;
  }
  const SteadyTime of_client = limit.next_for(facts_.client, around_.loop.now());
  if (of_client > around_.loop.now()) co_await pause_until(of_client);
  const SteadyTime of_all = limit.next_for_all(around_.loop.now());
  if (of_all > around_.loop.now()) co_await pause_until(of_all);
}

void Session::expect_login() {
  login_due_ = may_send() ? Deadline::max() : around_.loop.now() + login_limit;
}

Session::After Session::answer_late_login() {
  answer(421, {4, 7, 0}, "Login took too long");
  return After::close;
}

// --- the dialogue ---

Task<void> Session::converse() {
  const std::chrono::seconds patience = config_->limits.command_timeout;
  co_await keep_to(around_.gate.connections);
  expect_login();
  if (listener_.tls == TlsMode::implicit) co_await encrypt();
  // Who speaks before the greeting does not listen to us (RFC 5321 3.1). Clients on this machine are no
  // spammers in a hurry, at worst a script.
  if (listener_.tls != TlsMode::implicit && stream_->has_input() && !is_local(facts_.client)) {
    const Reply too_early{554, {5, 5, 0}, "Wait for the greeting"};
    log_rejected(too_early);
    co_return answer(too_early);
  }
  answer(220, {}, fmt::format("{} ESMTP relayd", config_->hostname));
  for (;;) {
    reading_command_ = true;
    std::optional<smtp::LineBuffer::Line> line;
    try {
      const Deadline due = std::min(transaction_end_, login_due_);
      line = co_await next_line(std::min<Deadline>(around_.loop.now() + patience, due));
    } catch (const IoError& error) {
      const bool told = leaving() && error.fault() == async::IoFault::cancelled;
      if (!told && !login_is_late()) throw;
    }
    if (login_is_late()) co_return static_cast<void>(answer_late_login());
    const bool stop = leaving();
    reading_command_ = false;
    if (stop) co_return answer(421, {4, 3, 2}, "relayd is shutting down");
    if (!line) co_return;
    if (line->text == client_hello)
      co_return answer(421, {4, 7, 0}, "This is SMTP; TLS begins with STARTTLS or on another port");
    After after = After::go_on;
    if (line->too_long) {
      after = answer_error({500, {5, 5, 6}, "Line too long"});
    } else {
      smtp::Command command = smtp::parse_command(line->text, envelope_ && envelope_->smtp_utf8);
      after = co_await handle(command);
    }
    if (after == After::close) co_return;
  }
}

Task<Session::After> Session::handle(smtp::Command& command) {
  if (std::holds_alternative<smtp::Data>(command)) {
    const After after = co_await data();
    co_return after;
  }
  if (std::holds_alternative<smtp::StartTls>(command)) {
    const After after = co_await starttls();
    co_return after;
  }
  if (auto* auth = std::get_if<smtp::Auth>(&command)) {
    const After after = co_await authenticate(*auth);
    co_return after;
  }
  co_return std::visit(
      Overloaded{
          [this](smtp::Ehlo& ehlo) { return hello(std::move(ehlo.domain), true); },
          [this](smtp::Helo& helo) { return hello(std::move(helo.domain), false); },
          [this](smtp::Mail& mail_command) { return mail(mail_command); },
          [this](smtp::Rcpt& rcpt_command) { return rcpt(rcpt_command); },
          [this](smtp::Rset&) {
            reset_transaction();
            return answer_idle({250, {2, 0, 0}, "Ok"});
          },
          [this](smtp::Noop&) {
            return answer_idle({250, {2, 0, 0}, "Ok"});
          },
          [this](smtp::Vrfy&) {  // RFC 5321 7.3
            return answer_idle({252, {2, 0, 0}, "Send some mail and see"});
          },
          [this](smtp::Help&) {
            return answer_idle({214, {2, 0, 0}, "RFC 5321; https://www.rfc-editor.org/rfc/rfc5321"});
          },
          [this](smtp::Quit&) {
            answer(221, {2, 0, 0}, "Bye");
            return After::close;
          },
          [this](smtp::Unknown& command_of_others) { return unknown(command_of_others); },
          [this](smtp::Rejected& rejected) {
            if (rejected.reply.code == 553 || rejected.reply.code == 555) log_rejected(rejected.reply);
            return answer_error(rejected.reply);
          },
          [](auto&) { return After::go_on; },  // DATA, STARTTLS, AUTH: above
      },
      command);
}

Session::After Session::unknown(const smtp::Unknown& command) {
  if (command.verb == "BDAT") {
    // Octets follow at once (RFC 3030 2) that are no commands; how many is not believed of who did not look
    // whether CHUNKING is offered.
    answer(502, {5, 5, 1}, "BDAT is not offered");
    answer(421, {4, 7, 0}, "What follows cannot be read");
    return After::close;
  }
  if (!is_foreign_protocol(command.verb)) return answer_error({500, {5, 5, 1}, "Command not recognised"});
  answer(421, {4, 7, 0}, "This is SMTP");
  return After::close;
}

Session::After Session::hello(std::string domain, bool extended) {
  reset_transaction();
  greeted_ = true;
  facts_.helo = std::move(domain);
  facts_.extended = extended;
  return answer_idle({250, {}, extended ? config_->hostname + extensions() : config_->hostname});
}

std::string Session::extensions() const {
  const bool encrypted = !facts_.tls.empty();
  std::string lines = fmt::format("\nPIPELINING\nSIZE {}\n8BITMIME\nSMTPUTF8\nDSN\nENHANCEDSTATUSCODES",
                                  around_.intake.size_limit().count);
  if (encrypted) lines += "\nREQUIRETLS";  // RFC 8689 2: only there
  if (listener_.tls == TlsMode::starttls && !encrypted) lines += "\nSTARTTLS";
  if (auth_offered(listener_, facts_.client, encrypted)) lines += "\nAUTH " + mechanisms();
  return lines;
}

Session::After Session::mail(const smtp::Mail& command) {
  if (!greeted_) return answer_error({503, {5, 5, 1}, "Say EHLO first"});
  if (envelope_) return answer_error({503, {5, 5, 1}, "A transaction is open; RSET ends it"});
  mail::Envelope envelope;
  envelope.sender = mail::qualified(command.reverse_path, config_->origin);
  envelope.eight_bit = command.eight_bit;
  envelope.smtp_utf8 = command.smtp_utf8;
  envelope.require_tls = command.require_tls;
  envelope.ret = command.ret;
  envelope.envelope_id = command.envelope_id;
  envelope.client = facts_.client;
  envelope.account = facts_.account;
  envelope.listener = listener_.name;
  if (const std::optional<Reply> refusal = refuse_mail(envelope, command.size.value_or(0))) {
    log_rejected(*refusal, envelope.sender);
    return answer_error(*refusal);
  }
  envelope_ = std::move(envelope);
  transaction_end_ = around_.loop.now() + transaction_limit;
  answer(250, {2, 1, 0}, "Sender ok");
  return After::go_on;
}

std::optional<Reply> Session::refuse_mail(const mail::Envelope& envelope, std::uint64_t size) {
  const bool encrypted = !facts_.tls.empty();
  const std::uint64_t limit = around_.intake.size_limit().count;
  if (size > limit) return Reply{552, {5, 3, 4}, fmt::format("At most {} octets are taken", limit)};
  if (envelope.require_tls && !encrypted)  // RFC 8689 2
    return Reply{530, {5, 7, 10}, "REQUIRETLS is for a message that comes over TLS"};
  std::optional<Reply> refusal = check_client(listener_, facts_.client, !facts_.account.empty(), encrypted);
  if (!refusal) refusal = around_.intake.check_sender(facts_, envelope, size);
  return refusal;
}

Session::After Session::rcpt(const smtp::Rcpt& command) {
  if (!envelope_) return answer_error({503, {5, 5, 1}, "MAIL first"});
  const std::string recipient = mail::qualified(command.forward_path, config_->origin);
  if (named_recipients_ >= config_->limits.recipients) {
    const Reply reply{
        452, {4, 5, 3}, fmt::format("At most {} recipients a message", config_->limits.recipients)};
    log_rejected(reply, envelope_->sender, recipient);
    if (++excess_recipients_ > excess_recipients_allowed) return answer_error(reply);
    answer(reply);
    return After::go_on;
  }
  const std::optional<Reply> refusal =
      around_.intake.add_recipient(*envelope_, {recipient, command.notify, command.original_recipient});
  if (refusal) {
    log_rejected(*refusal, envelope_->sender, recipient);
    return answer_error(*refusal);
  }
  ++named_recipients_;
  answer(250, {2, 1, 5}, "Recipient ok");
  return After::go_on;
}

void Session::log_rejected(const Reply& reply, std::string_view sender, std::string_view recipient) {
  around_.log.warning("rejected", {{"client", facts_.client},
                                   {"from", sender},
                                   {"to", recipient},
                                   {"account", facts_.account},
                                   {"code", reply.code},
                                   {"enhanced", smtp::to_string(reply.enhanced)},
                                   {"response", smtp::escape(reply.text)}});
}

}  // namespace relayd::accept
