// Explained: one message on its way through the rules that change it, for `relayd explain`.
//
// Asks the same pure functions as the daemon. Reads the file of the message and nothing else; of signing keys
// it knows which would sign, and does not read them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "relay/ways_out.hpp"
#include "rewrite/rewriting.hpp"
#include "shared/mail/envelope.hpp"

namespace relayd::command {

class Explained {
 public:
  // `sender` as the client gives it, with its domain. Says in `text` what it becomes when it is taken.
  Explained(std::shared_ptr<const route::Router> router, std::shared_ptr<const table::Tables> tables,
            std::string sender, std::string& text);

  // The message from a file, with either kind of line ends. False: it cannot be read, and standard error says
  // why. Says in `text` what its header becomes when it is taken.
  bool read(const std::string& file, std::string& text);

  // What an address becomes when it is taken; says so in `text`.
  std::string taken(rewrite::AddressClass where, const std::string& address, std::string& text) const;

  void recipients(std::vector<mail::Recipient> recipients) { envelope_.recipients = std::move(recipients); }
  const std::string& sender() const { return envelope_.sender; }
  // By which the message is routed: the sender, or for a null sender the first address of From.
  std::string routing_sender() const;

  // What leaves by each upstream of the route: envelope, changed fields of the header, and who signs.
  std::string departures() const;

 private:
  std::string departure(const route::Choice& choice, const config::SenderRule* rule) const;

  std::shared_ptr<const route::Router> router_;
  rewrite::RewriteRules taken_;
  WaysOut ways_out_;
  mail::Envelope envelope_;
  std::string header_;
};

}  // namespace relayd::command
