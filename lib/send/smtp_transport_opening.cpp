// How a connection is opened: connect, TLS, EHLO, AUTH; and what is asked before any mail.
#include <fmt/format.h>

#include <algorithm>

#include "send/smtp_transport.hpp"
#include "shared/smtp/envelope_command.hpp"

namespace relayd::send {

using async::IoError;
using async::IoFault;
using async::Task;
using smtp::Reply;
using smtp::Stage;
using smtp::Trouble;

Task<std::optional<Event>> SmtpTransport::open() {
  Login login;
  std::optional<Event> event = co_await connect(login);
  // One connection more for the password that the server did not stay for, or for another address or host.
  while ((login.hung_up || goes_on_) && !aborted_) event = co_await connect(login);
  usable_ = !event;
  if (!event) co_return std::nullopt;
  co_await close();
  co_return event;
}

Task<std::optional<Event>> SmtpTransport::connect(Login& login) {
  login.hung_up = false;
  goes_on_ = false;
  conversation_.close();
  met_ = {};
  std::optional<Event> event;
  std::string& address = met_.address;
  try {
    conversation_.stage = Stage::connect;
    co_await hosts_.find(conversation_.within(patience::connect), stop_dial_.get_token());
    const Host& host = hosts_.now();
    auto stream = co_await dialer_.dial(host.name, host.port, host.tls,
                                        conversation_.within(patience::connect), stop_dial_.get_token());
    address = stream->peer();
    conversation_.begin(std::move(stream));
    if (aborted_) throw IoError(IoFault::cancelled, "the connection was closed by us");
    event = co_await greet();
    if (!event && on_offer_) on_offer_(capabilities_);
    if (!event && target_.login) event = co_await log_in(login);
  } catch (const IoError& error) {
    event = conversation_.trouble_of(error);
    conversation_.close();
  }
  count(event);
  if (event && event->stage < Stage::auth && event->trouble != Trouble::cancelled) {
    const bool is_silent = !address.empty();  // it connects and does not talk
    goes_on_ = (is_silent && dialer_.leave(hosts_.now().name, address)) || hosts_.leave();
  }
  co_return event;
}

void SmtpTransport::count(const std::optional<Event>& event) {
  met_.tls = conversation_.tls();
  if (const auto& until = met_.tls.certificate_until) contacts_.certificate_until = until;
  if (!event)
    ++contacts_.opened;
  else if (event->trouble != Trouble::cancelled)
    ++contacts_.failed[static_cast<std::size_t>(std::min(event->stage, Stage::auth))];
}

Task<std::optional<Event>> SmtpTransport::greet() {
  if (hosts_.now().tls_mode == TlsMode::implicit) {
    conversation_.stage = Stage::starttls;
    co_await async::start_tls(conversation_.stream(), conversation_.within(patience::tls), contacts_.tls);
  }
  conversation_.stage = Stage::greeting;
  Reply greeting = co_await conversation_.read_reply(patience::greeting);
  if (!greeting.positive()) co_return Event(conversation_.stage, std::move(greeting));
  std::optional<Event> event = co_await say_ehlo();
  if (!event && hosts_.now().tls_mode == TlsMode::starttls) event = co_await start_tls();
  co_return event;
}

Task<std::optional<Event>> SmtpTransport::say_ehlo() {
  conversation_.stage = Stage::ehlo;
  const std::string_view verb = target_.lmtp ? "LHLO" : "EHLO";
  Reply reply =
      co_await conversation_.command(fmt::format("{} {}\r\n", verb, target_.hostname), patience::envelope);
  const bool may_fall_back = target_.tls_mode == TlsMode::none && !target_.login && !target_.lmtp;
  if (reply.permanent() && may_fall_back)  // RFC 5321 3.2
    reply = co_await conversation_.command(fmt::format("HELO {}\r\n", target_.hostname), patience::envelope);
  if (!reply.positive()) co_return Event(conversation_.stage, std::move(reply));
  capabilities_ = smtp::parse_capabilities(reply);
  if (target_.pipelining == Pipelining::off) capabilities_.pipelining = false;
  if (!is_assured()) capabilities_.require_tls = false;
  met_.offers.push_back(capabilities_);
  co_return std::nullopt;
}

Task<std::optional<Event>> SmtpTransport::start_tls() {
  conversation_.stage = Stage::starttls;
  if (!capabilities_.starttls)
    co_return Event(
        conversation_.stage, Trouble::no_starttls,
        fmt::format("{} does not offer STARTTLS; nothing is sent in the clear", hosts_.now().text()));
  Reply reply = co_await conversation_.command("STARTTLS\r\n", patience::data);
  if (reply.code != 220) co_return Event(conversation_.stage, std::move(reply));
  // Bytes that came in the clear must not be taken for the encrypted server's (CVE-2021-38371).
  if (conversation_.has_unread())
    throw IoError(IoFault::tls, "the server sent bytes between its 220 and the TLS handshake");
  co_await async::start_tls(conversation_.stream(), conversation_.within(patience::tls), contacts_.tls);
  capabilities_ = {};
  std::optional<Event> event = co_await say_ehlo();
  co_return event;
}

Task<std::optional<Event>> SmtpTransport::log_in(Login& login) {
  LoginTerms terms;
  terms.mechanisms = target_.mechanisms;
  terms.offered = capabilities_.auth;
  terms.blames_password = target_.blames_password;
  terms.clear_password_allowed = target_.clear_password_allowed;
  terms.host = target_.host;
  terms.port = target_.port;
  std::optional<Event> failure = co_await send::log_in(conversation_, workers_, terms, fetch_, login);
  if (failure) co_return failure;
  by_token_ = login.token.has_value();
  token_until_ = by_token_ ? login.token->until : std::nullopt;
  if (!by_token_ && on_login_) on_login_(login.credential->passwords[login.password]);
  co_return std::nullopt;
}

// --- without a message ---

Task<std::optional<Event>> SmtpTransport::try_sender(const std::string& sender) {
  mail::Envelope envelope;
  envelope.sender = sender;
  std::optional<Event> refused;
  conversation_.stage = Stage::mail;
  try {
    Reply reply =
        co_await conversation_.command(smtp::mail_from(envelope, 0, capabilities_), patience::envelope);
    const bool closing = reply.code == 421;
    if (!reply.positive()) refused = Event(Stage::mail, std::move(reply));
    if (closing) {
      usable_ = false;
      co_return refused;
    }
    const Reply reset = co_await conversation_.command("RSET\r\n", patience::envelope);
    if (!reset.positive()) usable_ = false;
  } catch (const IoError& error) {
    usable_ = false;
    conversation_.close();
    if (!refused) refused = conversation_.trouble_of(error);
  }
  co_return refused;
}

}  // namespace relayd::send
