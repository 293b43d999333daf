// Delivery and Report: one message handed to an upstream, and what the upstream said.
//
// Fifth stage of the path. The relay makes a Delivery from the queue's content and reads the Report; send
// knows neither the queue nor what a reply means.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/async/task.hpp"
#include "shared/mail/envelope.hpp"
#include "shared/smtp/cap.hpp"
#include "shared/smtp/event.hpp"

namespace relayd::send {

// What is to be sent. Lives until the transport has returned.
class Delivery {
 public:
  virtual ~Delivery() = default;

  virtual std::string_view id() const = 0;
  virtual const mail::Envelope& envelope() const = 0;
  // Whom it is for this time: indices into envelope().recipients, at most as many as the upstream takes at
  // once.
  virtual const std::vector<std::uint32_t>& recipients() const = 0;
  virtual std::uint64_t size() const = 0;

  // The next piece of header and body, canonical; empty at the end. Valid until the next call.
  virtual async::Task<std::string_view> next() = 0;

  // Returns when it is on disk that the final dot may have left (RFC 5321 4.2.5), for the recipients that the
  // server takes. They must stay where they are meanwhile.
  virtual async::Task<void> before_final_dot(std::span<const std::uint32_t> recipients) = 0;
};

using smtp::Event;
using smtp::RecipientEvent;

struct Report {
  std::string host;        // "smtp.example.net:587"; empty: none was reached
  std::uint16_t port = 0;  // that was tried, also in vain; 0: there are none
  std::string tls;         // "TLSv1.3"; empty: clear
  bool dsn = false;        // it offered RFC 3461: what it takes it reports itself
  // One for each recipient of the delivery: its own refusal at RCPT, or what befell the message.
  std::vector<RecipientEvent> recipients;

  smtp::Carried carried;  // by the connection, before this message
  // What the server said as it closed (421), to commands of the next message that rode behind the final dot.
  std::optional<Event> farewell;

  // A connection that had carried mail before was closed by the server before it answered MAIL, as RFC 5321
  // 4.5.3.2.7 lets it (421 is the polite form), or has lost its login (530): nothing was tried, another
  // connection may be.
  bool untried = false;
  // The next message's commands left with its final dot.
  bool was_followed = false;
  // The commands that rode behind the final dot had no replies, or none that fit: this server had better not
  // be sent any. Not where it said that it closes (421).
  bool out_of_step = false;

  // Those who have no answer of their own.
  std::vector<std::uint32_t> rest(const Delivery& delivery) const {
    std::vector<std::uint32_t> rest;
    for (const std::uint32_t recipient : delivery.recipients()) {
      const auto answered = [recipient](const RecipientEvent& entry) { return entry.recipient == recipient; };
      if (std::none_of(recipients.begin(), recipients.end(), answered)) rest.push_back(recipient);
    }
    return rest;
  }
  // They share what befell the message.
  void add_rest(const Delivery& delivery, const Event& event) {
    for (const std::uint32_t recipient : rest(delivery)) recipients.push_back({recipient, event});
  }
};

}  // namespace relayd::send
