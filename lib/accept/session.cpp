#include "accept/session.hpp"

#include <fmt/format.h>

#include "accept/rules.hpp"
#include "shared/mail/address.hpp"
#include "shared/sasl/sasl.hpp"
#include "shared/smtp/data.hpp"

namespace relayd::accept {

using async::IoError;
using async::Task;
using config::TlsMode;
using smtp::Reply;

namespace {

// After so many errors a client is broken or hostile; RFC 5321 4.3.2 lets us say 421 at any time.
constexpr unsigned errors_until_close = 20;
constexpr unsigned logins_until_close = 5;

constexpr std::size_t read_size = 16 * 1024;

// Verbs that no mail client says: something else is at the other end, perhaps a browser made to speak to us.
bool is_foreign_protocol(std::string_view verb) {
  for (const std::string_view foreign :
       {"GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS", "HOST:", "PROXY"})
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
  }
}

// Replies of a pipelined group leave together (RFC 2920 3.2): when nothing more has come.
Task<void> Session::send() {
  if (output_.empty()) co_return;
  const std::string bytes = std::move(output_);
  output_.clear();
  co_await stream_->write(bytes, around_.loop.now() + config_->limits.command_timeout);
}

void Session::answer(const Reply& reply) {
  output_ += smtp::format_reply(reply);
}

Session::After Session::answer_error(const Reply& reply) {
  answer(reply);
  if (++errors_ < errors_until_close) return After::go_on;
  answer(421, {4, 7, 0}, "Too many errors");
  return After::close;
}

// --- the dialogue ---

Task<void> Session::converse() {
  const std::chrono::seconds patience = config_->limits.command_timeout;
  if (listener_.tls == TlsMode::implicit) {
    co_await stream_->start_tls(around_.loop.now() + patience);
    facts_.tls = stream_->tls().version;
  }
  answer(220, {}, fmt::format("{} ESMTP relayd", config_->hostname));
  for (;;) {
    reading_command_ = true;
    std::optional<smtp::LineBuffer::Line> line;
    try {
      line = co_await next_line(around_.loop.now() + patience);
    } catch (const IoError& error) {
      if (!leaving() || error.fault() != async::IoFault::cancelled) throw;
    }
    const bool stop = leaving();
    reading_command_ = false;
    if (stop) co_return answer(421, {4, 3, 2}, "relayd is shutting down");
    if (!line) co_return;
    After after = After::go_on;
    if (line->too_long) {
      after = answer_error({500, {5, 5, 6}, "Line too long"});
    } else {
      smtp::Command command = smtp::parse_command(line->text, envelope_ && envelope_->smtp_utf8);
      after = co_await handle(std::move(command));
    }
    if (after == After::close) co_return;
  }
}

Task<Session::After> Session::handle(smtp::Command command) {
  if (std::holds_alternative<smtp::Data>(command)) {
    const After after = co_await data();
    co_return after;
  }
  if (std::holds_alternative<smtp::StartTls>(command)) {
    const After after = co_await starttls();
    co_return after;
  }
  if (auto* auth = std::get_if<smtp::Auth>(&command)) {
    const After after = co_await authenticate(std::move(*auth));
    co_return after;
  }
  co_return std::visit(Overloaded{
                           [this](smtp::Ehlo& ehlo) {
                             hello(std::move(ehlo.domain), true);
                             return After::go_on;
                           },
                           [this](smtp::Helo& helo) {
                             hello(std::move(helo.domain), false);
                             return After::go_on;
                           },
                           [this](smtp::Mail& mail_command) { return mail(mail_command); },
                           [this](smtp::Rcpt& rcpt_command) { return rcpt(rcpt_command); },
                           [this](smtp::Rset&) {
                             reset_transaction();
                             answer(250, {2, 0, 0}, "Ok");
                             return After::go_on;
                           },
                           [this](smtp::Noop&) {
                             answer(250, {2, 0, 0}, "Ok");
                             return After::go_on;
                           },
                           [this](smtp::Vrfy&) {
                             answer(252, {2, 0, 0}, "Send some mail and see");  // RFC 5321 7.3
                             return After::go_on;
                           },
                           [this](smtp::Help&) {
                             answer(214, {2, 0, 0}, "RFC 5321; https://www.rfc-editor.org/rfc/rfc5321");
                             return After::go_on;
                           },
                           [this](smtp::Quit&) {
                             answer(221, {2, 0, 0}, "Bye");
                             return After::close;
                           },
                           [this](smtp::Unknown& unknown) {
                             if (is_foreign_protocol(unknown.verb)) {
                               answer(421, {4, 7, 0}, "This is SMTP");
                               return After::close;
                             }
                             return answer_error({500, {5, 5, 1}, "Command not recognised"});
                           },
                           [this](smtp::Rejected& rejected) {
                             if (rejected.reply.code == 553 || rejected.reply.code == 555)
                               log_rejected(rejected.reply);
                             return answer_error(rejected.reply);
                           },
                           [](auto&) { return After::go_on; },  // DATA, STARTTLS, AUTH: above
                       },
                       command);
}

void Session::hello(std::string domain, bool extended) {
  reset_transaction();
  greeted_ = true;
  facts_.helo = std::move(domain);
  facts_.extended = extended;
  if (!extended) return answer(250, {}, config_->hostname);
  std::string text = fmt::format("{}\nPIPELINING\nSIZE {}\n8BITMIME\nSMTPUTF8\nENHANCEDSTATUSCODES",
                                 config_->hostname, config_->limits.message_size.count);
  const bool encrypted = !facts_.tls.empty();
  if (listener_.tls == TlsMode::starttls && !encrypted) text += "\nSTARTTLS";
  if (auth_offered(listener_, facts_.client, encrypted)) text += "\nAUTH " + sasl::server_mechanisms();
  answer(250, {}, text);
}

Session::After Session::mail(const smtp::Mail& command) {
  const config::Limits& limits = config_->limits;
  if (!greeted_) return answer_error({503, {5, 5, 1}, "Say EHLO first"});
  if (envelope_) return answer_error({503, {5, 5, 1}, "A transaction is open; RSET ends it"});
  if (command.size.value_or(0) > limits.message_size.count) {
    const Reply reply{552, {5, 3, 4}, fmt::format("At most {} octets are taken", limits.message_size.count)};
    log_rejected(reply, command.reverse_path);
    return answer_error(reply);
  }
  std::optional<Reply> refusal =
      check_client(listener_, facts_.client, !facts_.account.empty(), !facts_.tls.empty());
  if (!refusal) refusal = around_.intake.check_sender(facts_, command.reverse_path);
  if (refusal) {
    log_rejected(*refusal, command.reverse_path);
    return answer_error(*refusal);
  }
  mail::Envelope& envelope = envelope_.emplace();
  envelope.sender = command.reverse_path;
  envelope.eight_bit = command.eight_bit;
  envelope.smtp_utf8 = command.smtp_utf8;
  envelope.ret = command.ret;
  envelope.envelope_id = command.envelope_id;
  envelope.client = facts_.client;
  envelope.account = facts_.account;
  answer(250, {2, 1, 0}, "Sender ok");
  return After::go_on;
}

Session::After Session::rcpt(const smtp::Rcpt& command) {
  if (!envelope_) return answer_error({503, {5, 5, 1}, "MAIL first"});
  if (envelope_->recipients.size() >= config_->limits.recipients) {
    const Reply reply{
        452, {4, 5, 3}, fmt::format("At most {} recipients a message", config_->limits.recipients)};
    log_rejected(reply, envelope_->sender, command.forward_path);
    answer(reply);  // no error of the client's: RFC 5321 4.5.3.1.10 lets it try
    return After::go_on;
  }
  envelope_->recipients.push_back({command.forward_path, command.notify, command.original_recipient});
  answer(250, {2, 1, 5}, "Recipient ok");
  return After::go_on;
}

// --- DATA ---

Task<Session::After> Session::data() {
  if (!envelope_) co_return answer_error({503, {5, 5, 1}, "MAIL first"});
  if (envelope_->recipients.empty()) co_return answer_error({554, {5, 5, 1}, "No valid recipients"});
  std::unique_ptr<Incoming> incoming;
  std::optional<Reply> refusal;
  try {
    incoming = around_.intake.begin(facts_, *envelope_);
  } catch (const Refused& refused) {
    refusal = refused.reply;
  }
  if (refusal) {
    log_rejected(*refusal, envelope_->sender);
    reset_transaction();
    co_return answer_error(*refusal);
  }
  answer(354, {}, "End with CR LF . CR LF");
  const bool whole = co_await receive(incoming.get(), refusal);
  if (!whole) co_return After::close;
  std::string id;
  if (!refusal) {
    try {
      id = co_await incoming->commit();
    } catch (const Refused& refused) {
      refusal = refused.reply;
    }
  }
  if (refusal) {
    log_rejected(*refusal, envelope_->sender);
    reset_transaction();
    co_return answer_error(*refusal);
  }
  reset_transaction();
  answer(250, {2, 0, 0}, fmt::format("Ok: queued as {}", id));
  co_return After::go_on;
}

// Reads to the true end of the message, also when it is already refused. False: the client went away.
Task<bool> Session::receive(Incoming* incoming, std::optional<Reply>& refusal) {
  const Deadline deadline = around_.loop.now() + config_->limits.data_timeout;
  const std::uint64_t limit = config_->limits.message_size.count;
  smtp::DataDecoder decoder;
  std::string decoded;
  std::uint64_t size = 0;
  while (!decoder.done()) {
    if (input_.empty()) {
      co_await send();
      const std::span<char> space = input_.space(read_size);
      const std::size_t count = co_await stream_->read_some(space, deadline);
      if (count == 0) co_return false;
      input_.filled(count);
    }
    decoded.clear();
    const std::size_t taken = decoder.feed(input_.rest(), decoded);
    input_.consume(taken);
    size += decoded.size();
    if (size > limit && !refusal)
      refusal = Reply{552, {5, 3, 4}, fmt::format("At most {} octets are taken", limit)};
    if (refusal || decoded.empty()) continue;
    if (!incoming->append(decoded)) continue;
    try {
      co_await incoming->flush();
    } catch (const Refused& refused) {
      refusal = refused.reply;
    }
  }
  if (decoder.bare_newlines() > 0 && config_->limits.bare_newlines == config::Limits::BareNewlines::reject &&
      !refusal)
    refusal = Reply{550, {5, 6, 0}, "The message has a bare CR or LF (RFC 5321 2.3.8)"};
  if (decoder.nul_octets() > 0 && !refusal)
    refusal = Reply{
        550, {5, 6, 0}, "The message has a NUL, which neither 7BIT nor 8BITMIME may carry (RFC 2045 2.8)"};
  co_return true;
}

// --- STARTTLS and AUTH ---

Task<Session::After> Session::starttls() {
  if (listener_.tls != TlsMode::starttls) co_return answer_error({502, {5, 5, 1}, "STARTTLS is not offered"});
  if (!facts_.tls.empty()) co_return answer_error({503, {5, 5, 1}, "TLS is already active"});
  if (envelope_) co_return answer_error({503, {5, 5, 1}, "A transaction is open"});
  if (!input_.empty()) {
    // Bytes sent behind STARTTLS in the clear would be read as if they had come inside it (CVE-2011-0411).
    answer(554, {5, 5, 0}, "Nothing may follow STARTTLS before the handshake");
    co_return After::close;
  }
  answer(220, {2, 0, 0}, "Go ahead");
  co_await send();
  co_await stream_->start_tls(around_.loop.now() + config_->limits.command_timeout);
  // RFC 3207 4.2: all that was said before is forgotten.
  const std::string client = std::move(facts_.client);
  facts_ = ClientFacts{};
  facts_.client = client;
  facts_.listener = listener_.address;
  facts_.tls = stream_->tls().version;
  greeted_ = false;
  input_.clear();
  co_return After::go_on;
}

std::optional<Reply> Session::refuse_auth(const smtp::Auth& command) const {
  const std::string offered = fmt::format(" {} ", sasl::server_mechanisms());
  if (listener_.auth == config::ListenerAuth::none) return Reply{502, {5, 5, 1}, "AUTH is not offered"};
  if (!greeted_ || !facts_.extended) return Reply{503, {5, 5, 1}, "Say EHLO first"};
  if (!facts_.account.empty()) return Reply{503, {5, 5, 1}, "Already authenticated"};
  if (envelope_) return Reply{503, {5, 5, 1}, "A transaction is open"};
  if (!auth_offered(listener_, facts_.client, !facts_.tls.empty()))
    return Reply{538, {5, 7, 11}, "Encryption required: STARTTLS first"};
  if (offered.find(fmt::format(" {} ", command.mechanism)) == std::string::npos)
    return Reply{504, {5, 5, 4}, "Mechanism not offered"};
  return std::nullopt;
}

Task<Session::After> Session::authenticate(smtp::Auth command) {
  if (const std::optional<Reply> refusal = refuse_auth(command)) co_return answer_error(*refusal);
  using Kind = sasl::Server::Step::Kind;
  sasl::Server server(command.mechanism, [accounts = around_.intake.accounts()](std::string_view name) {
    const auto found = accounts->find(name);
    return found == accounts->end() ? std::nullopt : std::optional<Secret>(found->second);
  });
  sasl::Server::Step step;
  if (server.needs_derivation())
    step = co_await around_.workers.run([&] { return server.begin(command.response); });
  else
    step = server.begin(command.response);
  // A success may have a last message (SCRAM's server signature), which the client answers with an empty
  // line.
  while (step.kind == Kind::challenge || (step.kind == Kind::success && !step.text.empty())) {
    answer(334, {}, step.text);
    const auto line = co_await next_line(around_.loop.now() + config_->limits.command_timeout);
    if (!line) co_return After::close;
    if (line->too_long) co_return answer_error({500, {5, 5, 6}, "Line too long"});
    if (line->text == "*")
      co_return answer_error({501, {5, 7, 0}, "Authentication cancelled"});  // RFC 4954 4
    if (step.kind == Kind::success) break;
    const std::string response(line->text);
    if (server.needs_derivation())
      step = co_await around_.workers.run([&server, &response] { return server.step(response); });
    else
      step = server.step(response);
  }
  const bool any_will_do = listener_.auth == config::ListenerAuth::accept_any && !step.malformed;
  if (step.kind == Kind::success || any_will_do) {
    facts_.account = server.username().empty() ? "unknown" : server.username();
    answer(235, {2, 7, 0}, "Authentication successful");
    co_return After::go_on;
  }
  const Reply reply = step.malformed ? Reply{501, {5, 5, 2}, "Cannot read the response"}  // RFC 4954 4
                                     : Reply{535, {5, 7, 8}, "Authentication failed"};
  log_rejected(reply);
  answer(reply);
  if (++failed_logins_ < logins_until_close) co_return After::go_on;
  answer(421, {4, 7, 0}, "Too many failed logins");
  co_return After::close;
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
