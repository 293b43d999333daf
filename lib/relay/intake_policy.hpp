// IntakePolicy: what the relay takes from its clients, by the present configuration, and what it makes of it.
//
// First stage of the path, behind the sessions of accept; joins accept, route and queue. Owned by the relay.
// A message that it begins is a DraftIncoming.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "accept/intake.hpp"
#include "queue/queue.hpp"
#include "relay/lanes.hpp"
#include "relay/setup.hpp"
#include "relay/suppression_book.hpp"
#include "shared/async/loop.hpp"
#include "shared/telemetry/log.hpp"
#include "tell/publisher.hpp"

namespace relayd {

class IntakePolicy final : public accept::Intake {
 public:
  // `setup` is the relay's; what it says at the moment holds.
  IntakePolicy(async::Loop& loop, telemetry::Log& log, const tell::Publisher& publisher, queue::Queue& queue,
               const Lanes& lanes, const SuppressionBook& suppressions, const Setup& setup)
      : loop_(loop),
        log_(log),
        publisher_(publisher),
        queue_(queue),
        lanes_(lanes),
        suppressions_(suppressions),
        setup_(setup) {}

  // The queue was read: mail is taken from now on, and marked so; see instance.hpp.
  void open(std::string mark) {
    mark_ = std::move(mark);
    open_ = true;
  }

  Bytes size_limit() override;
  std::optional<smtp::Reply> check_sender(const accept::ClientFacts& facts, const mail::Envelope& envelope,
                                          std::uint64_t size) override;
  std::optional<smtp::Reply> add_recipient(mail::Envelope& envelope, mail::Recipient recipient) override;
  std::unique_ptr<accept::Incoming> begin(const accept::ClientFacts& facts,
                                          const mail::Envelope& envelope) override;
  std::shared_ptr<const accept::Accounts> accounts() override { return setup_.accounts; }

 private:
  const config::Account* account_of(const accept::ClientFacts& facts) const;
  std::string taken(rewrite::AddressClass where, const mail::Envelope& envelope, const std::string& address,
                    rewrite::Notes& notes) const;
  std::string taken_sender(const mail::Envelope& envelope, rewrite::Notes& notes) const;
  std::string taken_recipient(const mail::Envelope& envelope, const std::string& address) const;
  std::optional<smtp::Reply> refuse_suppressed(const mail::Envelope& envelope,
                                               const std::string& address) const;
  bool is_refused(const mail::Envelope& envelope, const std::string& name, const std::string& target) const;
  std::optional<smtp::Reply> check_owners(const mail::Envelope& envelope, const std::string& name,
                                          const std::vector<rewrite::Aliases::Target>& targets) const;
  smtp::Reply expansion_error(const std::string& address) const;
  void add_copies(mail::Envelope& envelope) const;
  std::optional<smtp::Reply> check_author(const std::string& author, const mail::Envelope& envelope,
                                          const route::HeaderValues& header) const;
  std::optional<smtp::Reply> check_list(const std::string& owner, const mail::Envelope& envelope) const;
  std::optional<smtp::Reply> refuse_unroutable(const mail::Envelope& envelope,
                                               const std::string& address) const;
  std::optional<smtp::Reply> check_route(const route::Mail& mail, const mail::Envelope& envelope,
                                         std::uint64_t size) const;
  std::optional<smtp::Reply> check_routes(const mail::Envelope& envelope, std::uint64_t size,
                                          const route::HeaderValues& header) const;

  async::Loop& loop_;
  telemetry::Log& log_;
  const tell::Publisher& publisher_;
  queue::Queue& queue_;
  const Lanes& lanes_;
  const SuppressionBook& suppressions_;
  const Setup& setup_;
  std::string mark_;
  bool open_ = false;
};

}  // namespace relayd
