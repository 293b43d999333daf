// SessionRun: one server session against a scripted client, with an Intake that keeps what it is given.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "accept/session.hpp"
#include "support/quiet_log.hpp"
#include "support/scripted_stream.hpp"

namespace relayd::test {

struct Taken {
  accept::ClientFacts facts;
  mail::Envelope envelope;
  std::string content;
};

// Keeps whole messages; refuses where it is told to.
class FakeIntake final : public accept::Intake {
 public:
  explicit FakeIntake(async::Loop& loop) : loop_(loop) {}

  std::vector<Taken> taken;
  std::map<std::string, smtp::Reply> refusals;  // at "sender", "begin", "flush" or "commit", once each
  accept::Accounts passwords;
  bool flush_always = false;
  Bytes limit = 50_MiB;

  Bytes size_limit() override { return limit; }
  std::optional<smtp::Reply> check_sender(const accept::ClientFacts&, const mail::Envelope&,
                                          std::uint64_t) override {
    return refusal("sender");
  }
  std::optional<smtp::Reply> add_recipient(mail::Envelope& envelope, mail::Recipient recipient) override {
    std::optional<smtp::Reply> refused = refusal("recipient");
    if (!refused) envelope.recipients.push_back(std::move(recipient));
    return refused;
  }
  std::unique_ptr<accept::Incoming> begin(const accept::ClientFacts& facts,
                                          const mail::Envelope& envelope) override {
    refuse("begin");
    return std::make_unique<FakeIncoming>(*this, Taken{facts, envelope, {}});
  }
  std::shared_ptr<const accept::Accounts> accounts() override {
    return std::make_shared<accept::Accounts>(passwords);
  }

 private:
  class FakeIncoming final : public accept::Incoming {
   public:
    FakeIncoming(FakeIntake& intake, Taken message) : intake_(intake), message_(std::move(message)) {}
    bool append(std::string_view bytes) override {
      message_.content += bytes;
      return intake_.flush_always;
    }
    async::Task<void> flush() override {
      co_await async::sleep_until(intake_.loop_, intake_.loop_.now());
      intake_.refuse("flush");
    }
    async::Task<std::string> commit() override {
      co_await async::sleep_until(intake_.loop_, intake_.loop_.now());
      intake_.refuse("commit");
      intake_.taken.push_back(message_);
      co_return "id" + std::to_string(intake_.taken.size());
    }

   private:
    FakeIntake& intake_;
    Taken message_;
  };

  std::optional<smtp::Reply> refusal(const std::string& where) {
    const auto found = refusals.find(where);
    if (found == refusals.end()) return std::nullopt;
    return refusals.extract(found).mapped();
  }
  void refuse(const std::string& where) {
    if (const std::optional<smtp::Reply> reply = refusal(where)) throw accept::Refused{*reply};
  }

  async::Loop& loop_;
};

// Set up what matters, then run().
class SessionRun {
 public:
  explicit SessionRun(Script script) : peer(loop, std::move(script)) {
    config->hostname = "mail.example.com";
    listener.address = "127.0.0.1:25";
    listener.allow = {*config::Network::parse("127.0.0.0/8")};
  }
  SessionRun(const SessionRun&) = delete;
  SessionRun& operator=(const SessionRun&) = delete;

  // To the session's end.
  void run() {
    session = std::make_unique<accept::Session>(
        accept::Surroundings{loop, workers, log, intake, penalties, gate}, config, listener, peer.connect());
    peer.on_call = [this](const std::string& name) {
      if (name == "shut down") session->shut_down();
      if (name == "abort") session->abort();
    };
    drive(loop, session->run());
  }

  ManualLoop loop;
  async::Workers workers{loop, 1};
  QuietLog log;
  ScriptedPeer peer;
  FakeIntake intake{loop};
  accept::Penalties penalties;
  accept::Gate gate;
  std::shared_ptr<config::Config> config = std::make_shared<config::Config>();
  config::Listener listener;
  std::unique_ptr<accept::Session> session;
};

}  // namespace relayd::test
