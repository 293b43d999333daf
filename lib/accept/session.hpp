// Session: one client's SMTP session (RFC 5321), from the greeting to QUIT, as a coroutine over a Stream.
//
// First stage of the path. Owns its stream; lives in the listener's scope. It speaks SMTP and enforces order
// and limits; who may send is rules', where mail goes is the Intake's. Any I/O failure ends it without a
// trace, except that a message is taken whole or not at all.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "accept/intake.hpp"
#include "accept/penalties.hpp"
#include "accept/rate_limit.hpp"
#include "shared/async/handshakes.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/stream.hpp"
#include "shared/async/workers.hpp"
#include "shared/config/config.hpp"
#include "shared/smtp/command.hpp"
#include "shared/smtp/line_buffer.hpp"
#include "shared/telemetry/log.hpp"

namespace relayd::accept {

struct Surroundings {
  async::Loop& loop;
  async::Workers& workers;  // derive the keys of logins
  telemetry::Log& log;
  Intake& intake;
  Penalties& penalties;
  Gate& gate;
  async::Handshakes* handshakes = nullptr;  // where they are counted; null: nowhere
  // A client that says the same the next time, as a file does: a limit of errors would take its mail for
  // ever.
  bool stands_errors = false;
};

class Session {
 public:
  Session(Surroundings surroundings, std::shared_ptr<const config::Config> config,
          const config::Listener& listener, std::unique_ptr<async::Stream> stream);

  // The whole session.
  async::Task<void> run();

  // Says 421 and ends, at once or when the present transaction is over.
  void shut_down();
  // Ends now.
  void abort();

 private:
  enum class After { go_on, close };
  struct Login;

  async::Task<void> converse();
  async::Task<std::optional<smtp::LineBuffer::Line>> next_line(Deadline deadline);
  async::Task<void> send();
  async::Task<After> handle(smtp::Command& command);
  // Until then, or until abort().
  async::Task<void> pause_until(SteadyTime when);
  // Clients elsewhere that have to log in are held to the rate: those of addresses where somebody logs in
  // apart from strangers.
  async::Task<void> keep_to(RateLimit& limit);
  bool may_send() const;
  // A client that may not send yet has to log in soon.
  void expect_login();
  bool login_is_late() const { return around_.loop.now() >= login_due_; }
  After answer_late_login();

  // It waits for a command, outside of a transaction, and is to stop.
  bool leaving() const { return stopping_ && reading_command_ && !envelope_; }

  void answer(int code, smtp::EnhancedCode enhanced, std::string_view text);
  void answer(const smtp::Reply& reply) { answer(reply.code, reply.enhanced, reply.text); }
  After answer_error(const smtp::Reply& reply);
  // A command that brings no message nearer: many of them are an error each.
  After answer_idle(const smtp::Reply& reply);

  After unknown(const smtp::Unknown& command);
  After hello(std::string domain, bool extended);
  std::string extensions() const;
  After mail(const smtp::Mail& command);
  std::optional<smtp::Reply> refuse_mail(const mail::Envelope& envelope, std::uint64_t size);
  After rcpt(const smtp::Rcpt& command);

  // session_data.cpp
  async::Task<After> data();
  async::Task<bool> receive(Incoming* incoming, std::optional<smtp::Reply>& refusal);

  // session_login.cpp
  async::Task<void> encrypt();
  async::Task<After> starttls();
  std::string mechanisms() const;
  std::optional<smtp::Reply> refuse_auth(const smtp::Auth& command) const;
  async::Task<After> authenticate(smtp::Auth& command);
  sasl::Server::Lookup lookup();
  async::Task<std::optional<After>> exchange(Login& login, const smtp::Auth& command);
  async::Task<void> advance(Login& login, const std::optional<std::string>& response);
  bool locked_out(const Login& login) const;
  async::Task<After> fail_login(const Login& login);

  // The one way out of a transaction, however it ended.
  void reset_transaction() {
    envelope_.reset();
    named_recipients_ = 0;
    excess_recipients_ = 0;
    transaction_end_ = Deadline::max();
  }
  void log_rejected(const smtp::Reply& reply, std::string_view sender = {}, std::string_view recipient = {});
  void log_refused_login(const smtp::Reply& reply, std::string_view account);

  Surroundings around_;
  std::shared_ptr<const config::Config> config_;
  const config::Listener& listener_;
  std::unique_ptr<async::Stream> stream_;

  smtp::LineBuffer input_;
  std::string output_;   // replies that wait for each other
  std::string sending_;  // those that leave now
  ClientFacts facts_;
  bool greeted_ = false;
  std::optional<mail::Envelope> envelope_;  // a transaction is open
  std::uint32_t named_recipients_ = 0;      // of the transaction, before aliases
  unsigned excess_recipients_ = 0;          // of the transaction, over the limit
  Deadline transaction_end_ = Deadline::max();
  Deadline login_due_ = Deadline::max();
  unsigned errors_ = 0;
  unsigned idle_commands_ = 0;  // since the last message
  unsigned failed_logins_ = 0;
  async::Event* pause_ = nullptr;  // set() ends a pause_until()
  bool stopping_ = false;
  bool aborted_ = false;
  bool reading_command_ = false;
};

}  // namespace relayd::accept
