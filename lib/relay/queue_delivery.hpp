// QueueDelivery: a shipment of the queue, as send wants to have it, and as its way out wants it to be.
//
// Owned by the lane that sends it. The stored message is never changed: what leaves in its place is made for
// one attempt and lives as long as it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "queue/queue.hpp"
#include "relay/ways_out.hpp"
#include "send/delivery.hpp"
#include "shared/async/workers.hpp"

namespace relayd {

class QueueDelivery final : public send::Delivery {
 public:
  struct Terms {
    std::string upstream;
    std::size_t limit = 0;                   // recipients
    std::function<WallTime()> next_attempt;  // should nothing be heard of this one, as if it ended now
    SteadyTime began{};                      // the attempt
  };

  // For the recipients of the content, as many as there is room for.
  QueueDelivery(queue::Queue& queue, async::Workers& workers, const queue::Shipment& shipment,
                queue::Content content, Terms terms);

  // Makes it what leaves this way (see rewrite/outgoing.hpp), and signs it. Called once, before anything else
  // is asked. A worker reads a large message and signs with RSA. Throws IoError where the message cannot
  // be read. `way` is one of `ways`.
  async::Task<rewrite::Outgoing> prepare(std::shared_ptr<const WaysOut> ways, rewrite::Way way, WallTime now);
  // By what it was prepared; null: not yet.
  const std::shared_ptr<const WaysOut>& ways() const { return ways_; }

  std::string_view id() const override { return text_; }
  const mail::Envelope& envelope() const override { return changed_ ? *changed_ : content_.envelope; }
  const std::vector<std::uint32_t>& recipients() const override { return content_.recipients; }
  std::uint64_t size() const override { return content_.size - replaced_ + head_.size(); }
  async::Task<std::string_view> next() override;
  async::Task<void> before_final_dot(std::span<const std::uint32_t> recipients) override;

  // As the message was accepted: what the log and the sender are told of.
  const mail::Envelope& accepted() const { return content_.envelope; }
  // What rules ask of its header.
  void routed_by(route::HeaderValues header) { header_values_ = std::move(header); }
  const route::HeaderValues& header_values() const { return header_values_; }
  // Who leaves as the same address as another: (it, the other), whom alone the server is offered.
  const std::vector<std::pair<std::uint32_t, std::uint32_t>>& united() const { return united_; }

  queue::MessageId message() const { return id_.message(); }
  queue::ShipmentId shipment() const { return id_; }
  // Which attempt of the shipment this is, from 1.
  std::uint32_t attempt() const { return attempt_; }
  SteadyTime began() const { return terms_.began; }
  // An earlier attempt at this upstream may already have reached its recipients.
  bool doubted_here() const { return doubted_here_; }

 private:
  struct Signing {
    std::span<const rewrite::DkimSigner> signers;
    std::span<const std::string_view> unsigned_names;
  };

  bool is_large() const { return content_.file >= 0; }
  void read_header();
  void read_piece();
  void read(std::uint64_t position, std::string& piece) const;
  async::Task<std::string> sign(Signing signing, std::string_view header, std::uint64_t stored_header,
                                WallTime now);
  crypto::Digest body_hash(std::uint64_t header);
  void replace_header(std::uint64_t octets, std::string head);
  void unite_recipients();
  void leave_for_later();

  queue::Queue& queue_;
  async::Workers& workers_;
  queue::ShipmentId id_;
  Terms terms_;
  std::uint32_t attempt_;
  bool doubted_here_;
  std::string text_;
  queue::Content content_;
  route::HeaderValues header_values_;
  std::shared_ptr<const WaysOut> ways_;
  std::uint64_t position_ = 0;  // in the stored message: what was handed out, or read into piece_
  std::string piece_;           // of a large message
  bool piece_waits_ = false;    // it was read for its header, and is to be handed out

  std::optional<mail::Envelope> changed_;  // nothing: it leaves as it was accepted
  std::string head_;                       // leaves in place of the first `replaced_` octets
  std::uint64_t replaced_ = 0;
  bool head_waits_ = false;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> united_;
};

}  // namespace relayd
