// SmtpTransport: an SMTP client's session (RFC 5321, 2920, 3207, 4954) as a coroutine over a Stream.
//
// Fifth stage of the path. One connection to one upstream with one credential. It never weakens what was
// asked: no TLS means no mail, and a password is sent over verified TLS or to loopback alone.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "send/transport.hpp"
#include "shared/async/dialer.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/workers.hpp"
#include "shared/base/result.hpp"
#include "shared/sasl/sasl.hpp"
#include "shared/smtp/capabilities.hpp"

namespace relayd::send {

enum class Encryption { none, starttls, implicit };

// Where and how, all that the dialogue needs. Plain values.
struct Target {
  std::string host;
  std::uint16_t port = 0;
  Encryption encryption = Encryption::starttls;
  async::TlsPolicy tls;
  std::string hostname;                 // what we say in EHLO
  std::vector<std::string> mechanisms;  // lower case, in order of preference
  bool clear_password_allowed = false;  // the host is loopback
  std::uint64_t size_limit = 0;         // octets, beside what EHLO says; 0: none
  bool login = false;                   // authenticate, with what `credential` gives
};

class SmtpTransport final : public Transport {
 public:
  // Fetches username and password; runs on a helper thread, for files and commands block.
  using FetchCredential = std::function<Result<sasl::Credential>()>;

  SmtpTransport(async::Loop& loop, async::Workers& workers, async::Dialer& dialer, Target target,
                FetchCredential fetch);

  async::Task<std::optional<Event>> open() override;
  async::Task<Report> send(Delivery& delivery) override;
  bool usable() const override { return usable_; }
  async::Task<bool> idle(Deadline deadline) override;
  void wake() override;
  async::Task<void> close() override;
  void abort() override;
  Report describe() const override;

 private:
  // Each step of opening: nothing when it went well. They throw IoError.
  async::Task<std::optional<Event>> greet();
  async::Task<std::optional<Event>> say_ehlo();
  async::Task<std::optional<Event>> start_tls();
  async::Task<std::optional<Event>> log_in();
  async::Task<std::optional<Event>> exchange(sasl::Client& client, std::string command);
  async::Task<void> cancel_login();

  // The parts of a transaction.
  std::optional<Event> cannot_take(const Delivery& delivery) const;
  async::Task<void> transact(Delivery& delivery, Report& report);
  std::vector<std::string> envelope_commands(const Delivery& delivery) const;
  async::Task<bool> send_envelope(Delivery& delivery, Report& report);
  async::Task<void> send_nothing(std::size_t accepted);
  async::Task<void> send_content(Delivery& delivery, Report& report);

  async::Task<smtp::Reply> command(std::string line, Duration patience);
  async::Task<smtp::Reply> read_reply(Duration patience);
  async::Task<void> write(std::string_view bytes, Duration patience);
  Event trouble_of(const async::IoError& error) const;

  async::Loop& loop_;
  async::Workers& workers_;
  async::Dialer& dialer_;
  Target target_;
  FetchCredential fetch_;
  std::stop_source stop_dial_;
  std::unique_ptr<async::Stream> stream_;
  smtp::Capabilities capabilities_;
  smtp::Stage stage_ = smtp::Stage::connect;
  smtp::ReplyParser parser_;
  std::string received_;  // what came and was not read yet
  std::string buffer_;    // what is read into
  bool usable_ = false;
  bool needs_reset_ = false;  // a transaction was begun and not finished
  bool carried_mail_ = false;
  bool aborted_ = false;
  bool woken_ = false;
};

}  // namespace relayd::send
