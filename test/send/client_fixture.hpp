// ClientRun: one SMTP client's session against a scripted server, with messages that note how they are asked.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "send/smtp_transport.hpp"
#include "support/scripted_dialer.hpp"

namespace relayd::test {

class FakeDelivery final : public send::Delivery {
 public:
  FakeDelivery(mail::Envelope envelope, std::string content)
      : envelope_(std::move(envelope)), content_(std::move(content)) {
    for (std::uint32_t i = 0; i < envelope_.recipients.size(); ++i) recipients_.push_back(i);
  }

  std::string_view id() const override { return "message"; }
  const mail::Envelope& envelope() const override { return envelope_; }
  const std::vector<std::uint32_t>& recipients() const override { return recipients_; }
  std::uint64_t size() const override { return content_.size(); }
  async::Task<std::string_view> next() override {
    if (unreadable) throw async::IoError(async::IoFault::cancelled, "the message cannot be read");
    const std::string_view rest = std::string_view(content_).substr(position_);
    const std::string_view taken = rest.substr(0, piece);
    position_ += taken.size();
    co_return taken;
  }
  async::Task<void> before_final_dot(std::span<const std::uint32_t>) override {
    if (mark) mark();
    co_return;
  }

  std::size_t piece = std::string::npos;  // octets that next() gives at once
  bool unreadable = false;                // next() throws
  std::function<void()> mark;             // called before the final dot may leave

 private:
  mail::Envelope envelope_;
  std::string content_;
  std::vector<std::uint32_t> recipients_;
  std::size_t position_ = 0;
};

// Access tokens, one after the other: the next one once the server has refused the present one. After the
// last, the same again. Their serials begin with 1.
class ScriptedTokens final : public send::Tokens {
 public:
  async::Task<Answer> token(std::string user, std::optional<std::uint64_t> refused) override {
    asked.push_back(user + (refused ? " refused " + std::to_string(*refused) : ""));
    if (why) co_return Answer{std::nullopt, *why};
    if (refused == serial && serial < texts.size()) ++serial;
    co_return Answer{send::Token{Secret(texts.at(serial - 1)), serial, until}, {}};
  }

  std::vector<std::string> texts;
  std::optional<SteadyTime> until;
  std::optional<send::NoToken> why;  // there is none
  std::uint64_t serial = 1;
  std::vector<std::string> asked;
};

// "final_dot 250 2.0.0 Ok", "starttls no_starttls".
std::string shown(const send::Event& event);

// What one message met.
struct Sent {
  std::vector<std::string> events;  // "bob@example.org: rcpt 550 5.1.1 No", by recipient
  send::Report report;
  std::size_t recipients = 0;
  std::size_t first_write = 0;                // the peer's writes() when it began,
  std::optional<std::size_t> writes_at_mark;  // when the final dot was announced,
  std::size_t writes_at_end = 0;              // and when it was over
  std::size_t said_at_end = 0;                // what the server had said by then
};

class ClientRun final : private send::Follow {
 public:
  explicit ClientRun(Script script);
  ClientRun(const ClientRun&) = delete;
  ClientRun& operator=(const ClientRun&) = delete;

  // What is done after opening, in order.
  void add_mail(mail::Envelope envelope, std::string content);
  void add_idle(Duration wait) { actions_.push_back({nullptr, wait}); }
  // Of the message that was added last.
  void set_piece(std::size_t octets) { actions_.back().delivery->piece = octets; }
  void set_unreadable() { actions_.back().delivery->unreadable = true; }

  // All of it; then the transport is closed.
  void run();

  // Logs in with these access tokens.
  void log_in_with(const std::string& user, std::vector<std::string> texts);

  // What `credential` says.
  async::Task<Result<send::Credential>> fetch();

  ManualLoop loop;
  async::Workers workers{loop, 1};
  ScriptedPeer peer;
  ScriptedDialer dialer{loop, [this](const std::string&, std::uint16_t) -> ScriptedPeer& { return peer; }};
  send::Target target;
  Result<send::Credential> credential = Error{"no credential"};
  ScriptedTokens tokens;
  bool ahead = false;  // each message knows the next one
  std::unique_ptr<send::SmtpTransport> transport;

  std::vector<std::string> events;     // of opening, waiting and sending, in order
  std::optional<send::Event> refused;  // by open()
  std::vector<Sent> sent;

 private:
  struct Action {
    std::unique_ptr<FakeDelivery> delivery;  // null: wait
    Duration wait{};
  };
  async::Task<void> talk();
  async::Task<void> carry(FakeDelivery& delivery);
  async::Task<send::Delivery*> next() override;

  std::vector<Action> actions_;
  std::size_t action_ = 0;  // the present one
};

// "ann@example.com" for the recipients, as an envelope.
mail::Envelope make_envelope(const std::string& sender, const std::vector<std::string>& recipients);

}  // namespace relayd::test
