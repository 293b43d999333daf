#include "send/smtp_transport.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shared/smtp/data.hpp"
#include "shared/smtp/envelope_command.hpp"

namespace relayd::send {

using async::IoError;
using async::IoFault;
using async::Task;
using smtp::Reply;
using smtp::Stage;
using smtp::Trouble;
using namespace std::chrono_literals;

namespace {

// RFC 5321 4.5.3.2; connecting is ours: a port that a firewall swallows must not hold a lane for long.
namespace patience {
constexpr Duration connect = 30s;
constexpr Duration greeting = 5min;
constexpr Duration tls = 1min;
constexpr Duration login = 2min;
constexpr Duration envelope = 5min;
constexpr Duration data = 2min;
constexpr Duration block = 3min;
constexpr Duration final_dot = 10min;
constexpr Duration quit = 5s;
}  // namespace patience

constexpr std::size_t read_size = 4096;
constexpr std::size_t block_size = 64 * 1024;
constexpr int login_rounds = 10;

}  // namespace

SmtpTransport::SmtpTransport(async::Loop& loop, async::Workers& workers, async::Dialer& dialer, Target target,
                             FetchCredential fetch)
    : loop_(loop), workers_(workers), dialer_(dialer), target_(std::move(target)), fetch_(std::move(fetch)) {}

// --- opening ---

Task<std::optional<Event>> SmtpTransport::open() {
  std::optional<Event> event;
  try {
    stage_ = Stage::connect;
    stream_ = co_await dialer_.dial(target_.host, target_.port, target_.tls, loop_.now() + patience::connect,
                                    stop_dial_.get_token());
    if (aborted_) throw IoError(IoFault::cancelled, "the connection was closed by us");
    event = co_await greet();
    if (!event && target_.login) event = co_await log_in();
    usable_ = !event;
  } catch (const IoError& error) {
    event = trouble_of(error);
    if (stream_) stream_->close();
  }
  if (!event) co_return std::nullopt;
  co_await close();
  co_return event;
}

Task<std::optional<Event>> SmtpTransport::greet() {
  if (target_.encryption == Encryption::implicit) {
    stage_ = Stage::starttls;
    co_await stream_->start_tls(loop_.now() + patience::tls);
  }
  stage_ = Stage::greeting;
  Reply greeting = co_await read_reply(patience::greeting);
  if (!greeting.positive()) co_return Event(stage_, std::move(greeting));
  std::optional<Event> event = co_await say_ehlo();
  if (!event && target_.encryption == Encryption::starttls) event = co_await start_tls();
  co_return event;
}

Task<std::optional<Event>> SmtpTransport::say_ehlo() {
  stage_ = Stage::ehlo;
  Reply reply = co_await command(fmt::format("EHLO {}\r\n", target_.hostname), patience::envelope);
  const bool may_fall_back = target_.encryption == Encryption::none && !target_.login;
  if (reply.permanent() && may_fall_back)  // RFC 5321 3.2
    reply = co_await command(fmt::format("HELO {}\r\n", target_.hostname), patience::envelope);
  if (!reply.positive()) co_return Event(stage_, std::move(reply));
  capabilities_ = smtp::parse_capabilities(reply);
  co_return std::nullopt;
}

Task<std::optional<Event>> SmtpTransport::start_tls() {
  stage_ = Stage::starttls;
  if (!capabilities_.starttls)
    co_return Event(stage_, Trouble::no_starttls,
                    fmt::format("{}:{} does not offer STARTTLS; nothing is sent in the clear", target_.host,
                                target_.port));
  Reply reply = co_await command("STARTTLS\r\n", patience::data);
  if (reply.code != 220) co_return Event(stage_, std::move(reply));
  // Bytes that came in the clear must not be taken for the encrypted server's (CVE-2021-38371).
  if (!received_.empty())
    throw IoError(IoFault::tls, "the server sent bytes between its 220 and the TLS handshake");
  co_await stream_->start_tls(loop_.now() + patience::tls);
  capabilities_ = {};
  std::optional<Event> event = co_await say_ehlo();
  co_return event;
}

// --- authentication ---

Task<std::optional<Event>> SmtpTransport::log_in() {
  stage_ = Stage::auth;
  if (!stream_->tls().verified && !target_.clear_password_allowed)
    co_return Event(stage_, Trouble::tls, "the password is sent over verified TLS only");
  const std::string mechanism = sasl::choose(target_.mechanisms, capabilities_.auth);
  if (mechanism.empty())
    co_return Event(stage_, Trouble::no_mechanism,
                    fmt::format("the server offers AUTH {}; we may use {}",
                                fmt::join(capabilities_.auth, " "), fmt::join(target_.mechanisms, " ")));
  Result<sasl::Credential> credential = co_await workers_.run(fetch_);
  if (!credential) co_return Event(stage_, Trouble::no_password, credential.error());
  sasl::Client client(mechanism, *credential);
  std::string line = "AUTH " + mechanism;
  if (client.has_initial_response()) {
    const Result<std::string> initial = client.step("");
    if (!initial) co_return Event(stage_, Trouble::no_mechanism, initial.error());
    line += " " + (initial->empty() ? "=" : *initial);  // RFC 4954 4
  }
  std::optional<Event> event = co_await exchange(client, line + "\r\n");
  co_return event;
}

Task<std::optional<Event>> SmtpTransport::exchange(sasl::Client& client, std::string line) {
  Reply reply = co_await command(std::move(line), patience::login);
  for (int round = 0; reply.code == 334; ++round) {
    Result<std::string> response = Error{"the server goes on asking"};
    if (round < login_rounds) {
      if (client.needs_derivation())
        response = co_await workers_.run([&client, &reply] { return client.step(reply.text); });
      else
        response = client.step(reply.text);
    }
    if (!response) {
      co_await cancel_login();
      co_return Event(stage_, Trouble::no_mechanism, response.error());
    }
    reply = co_await command(*response + "\r\n", patience::login);
  }
  if (reply.code != 235) co_return Event(stage_, std::move(reply));
  if (!client.complete())
    co_return Event(stage_, Trouble::no_mechanism,
                    "the server said 235 before it proved that it knows the password");
  co_return std::nullopt;
}

// RFC 4954 4. Whether the server hears of it changes nothing.
Task<void> SmtpTransport::cancel_login() {
  try {
    co_await command("*\r\n", patience::login);
  } catch (const IoError&) {
    stream_->close();
  }
}

// --- a transaction ---

Report SmtpTransport::describe() const {
  Report report;
  report.port = target_.port;
  if (stream_) report.host = fmt::format("{}:{}", target_.host, target_.port);
  if (stream_) report.tls = stream_->tls().version;
  return report;
}

std::optional<Event> SmtpTransport::cannot_take(const Delivery& delivery) const {
  for (const std::uint64_t limit : {capabilities_.size_limit, target_.size_limit})
    if (limit != 0 && delivery.size() > limit)
      return Event(
          Stage::mail, Trouble::too_large,
          fmt::format("the message has {} octets, {} takes {}", delivery.size(), target_.host, limit));
  const mail::Envelope& envelope = delivery.envelope();
  if ((envelope.smtp_utf8 && !capabilities_.smtp_utf8) ||
      (envelope.eight_bit && !capabilities_.eight_bit_mime))
    return Event(Stage::mail, Trouble::no_extension,
                 fmt::format("the message needs {}, which {} does not offer",
                             envelope.smtp_utf8 ? "SMTPUTF8" : "8BITMIME", target_.host));
  return std::nullopt;
}

Task<Report> SmtpTransport::send(Delivery& delivery) {
  Report report = describe();
  report.reused_connection = carried_mail_;
  carried_mail_ = true;
  std::optional<Event> event = cannot_take(delivery);
  if (!event) {
    try {
      co_await transact(delivery, report);
    } catch (const IoError& error) {
      event = trouble_of(error);
      usable_ = false;
      stream_->close();
    }
  }
  if (event) report.add_rest(delivery, *event);
  // An answer that nobody asked for: the next one would be taken for another command's.
  if (!received_.empty()) usable_ = false;
  co_return report;
}

Task<void> SmtpTransport::transact(Delivery& delivery, Report& report) {
  const bool data = co_await send_envelope(delivery, report);
  if (data) co_await send_content(delivery, report);
}

// RSET where the last transaction was not finished, MAIL, RCPT for each recipient, DATA.
std::vector<std::string> SmtpTransport::envelope_commands(const Delivery& delivery) const {
  std::vector<std::string> lines;
  if (needs_reset_) lines.emplace_back("RSET\r\n");
  lines.push_back(smtp::mail_from(delivery.envelope(), delivery.size(), capabilities_));
  for (const std::uint32_t recipient : delivery.recipients())
    lines.push_back(smtp::rcpt_to(delivery.envelope().recipients[recipient], capabilities_));
  lines.emplace_back("DATA\r\n");
  return lines;
}

// The commands in one group where the server pipelines (RFC 2920), else as long as they make sense. True:
// content is awaited, and somebody takes it.
Task<bool> SmtpTransport::send_envelope(Delivery& delivery, Report& report) {
  const std::size_t mail_at = needs_reset_ ? 1 : 0;
  const std::vector<std::string> lines = envelope_commands(delivery);
  stage_ = Stage::mail;
  if (capabilities_.pipelining) co_await write(fmt::format("{}", fmt::join(lines, "")), patience::envelope);
  std::optional<Event> refused;  // the whole message
  std::size_t accepted = 0;
  bool ready = false;  // for content
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const bool is_data = i + 1 == lines.size();
    stage_ = i <= mail_at ? Stage::mail : is_data ? Stage::data : Stage::rcpt;
    if (!capabilities_.pipelining) {
      if (refused || (is_data && accepted == 0)) break;
      co_await write(lines[i], patience::envelope);
    }
    const Reply reply = co_await read_reply(is_data ? patience::data : patience::envelope);
    needs_reset_ = true;
    if (reply.code == 421) {  // RFC 5321 3.8: the server closes; the other replies of the group never come
      usable_ = false;
      refused = Event(stage_, reply);
      break;
    }
    ready = is_data && reply.code == 354;
    const bool decides = i == mail_at || (is_data && accepted > 0);
    const bool good = is_data ? ready : reply.positive();
    if (decides && !good && !refused) refused = Event(stage_, reply);
    if (stage_ != Stage::rcpt) continue;
    if (good)
      ++accepted;
    else if (!refused)
      report.recipients.push_back({delivery.recipients()[i - mail_at - 1], Event(stage_, reply)});
  }
  if (ready && !refused && accepted > 0) co_return true;
  if (refused) report.add_rest(delivery, *refused);
  if (ready) co_await send_nothing(accepted);
  co_return false;
}

// Pipelined past a refusal, and the server wants content: an empty message that nobody gets (RFC 2920 3.1).
Task<void> SmtpTransport::send_nothing(std::size_t accepted) {
  if (accepted == 0) {
    co_await command(".\r\n", patience::final_dot);
  } else {  // somebody would get it
    usable_ = false;
    stream_->close();
  }
}

Task<void> SmtpTransport::send_content(Delivery& delivery, Report& report) {
  stage_ = Stage::data;
  smtp::DataEncoder encoder;
  std::string wire;
  for (;;) {
    const std::string_view piece = co_await delivery.next();
    if (piece.empty()) break;
    encoder.feed(piece, wire);
    if (wire.size() < block_size) continue;
    co_await write(wire, patience::block);
    wire.clear();
  }
  encoder.finish(wire);
  co_await delivery.before_final_dot();
  // The last of the content and the final dot leave in one write: a dot alone would wait for an ACK.
  stage_ = Stage::final_dot;
  co_await write(wire, patience::block);
  Reply reply = co_await read_reply(patience::final_dot);
  needs_reset_ = false;
  if (reply.code == 421) usable_ = false;
  report.add_rest(delivery, Event(stage_, std::move(reply)));
}

// --- waiting and leaving ---

Task<bool> SmtpTransport::idle(Deadline deadline) {
  woken_ = false;
  char byte = 0;
  try {
    // A server that has something to say now says 421, or has gone.
    co_await stream_->read_some({&byte, 1}, deadline);
  } catch (const IoError&) {
    if (woken_ && !aborted_) co_return true;
  }
  usable_ = false;
  co_return woken_;
}

void SmtpTransport::wake() {
  woken_ = true;
  stream_->interrupt();
}

Task<void> SmtpTransport::close() {
  usable_ = false;
  if (!stream_) co_return;
  try {
    if (!aborted_ && stage_ != Stage::starttls && stage_ != Stage::connect)
      co_await command("QUIT\r\n", patience::quit);
  } catch (const IoError&) {
    // The server left first.
  }
  stream_->close();
}

void SmtpTransport::abort() {
  aborted_ = true;
  stop_dial_.request_stop();
  if (stream_) stream_->close();
}

// --- bytes ---

Task<Reply> SmtpTransport::command(std::string line, Duration patience) {
  co_await write(line, patience);
  Reply reply = co_await read_reply(patience);
  co_return reply;
}

Task<void> SmtpTransport::write(std::string_view bytes, Duration patience) {
  co_await stream_->write(bytes, loop_.now() + patience);
}

Task<Reply> SmtpTransport::read_reply(Duration patience) {
  const Deadline deadline = loop_.now() + patience;
  for (;;) {
    received_.erase(0, parser_.feed(received_));
    if (parser_.state() == smtp::ReplyParser::State::complete) co_return parser_.take();
    if (parser_.state() == smtp::ReplyParser::State::malformed)
      throw IoError(IoFault::protocol,
                    fmt::format("the server's answer is no SMTP reply: {}", parser_.fault()));
    buffer_.resize(read_size);
    const std::size_t count = co_await stream_->read_some(buffer_, deadline);
    if (count == 0) throw IoError(IoFault::closed, "the server closed the connection");
    received_.append(buffer_, 0, count);
  }
}

Event SmtpTransport::trouble_of(const IoError& error) const {
  Trouble trouble = Trouble::broken;
  switch (error.fault()) {
    case IoFault::cancelled:
      trouble = Trouble::cancelled;
      break;
    case IoFault::tls:
      trouble = Trouble::tls;
      break;
    case IoFault::protocol:
      trouble = Trouble::malformed;
      break;
    default:
      if (stage_ == Stage::connect) trouble = Trouble::unreachable;
  }
  return Event(stage_, trouble, error.what());
}

}  // namespace relayd::send
