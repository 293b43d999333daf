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

std::vector<std::string> addresses_of(const std::vector<mail::Recipient>& recipients);

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

  // Who hands it in, as of mail::Envelope.
  void client(std::string address, std::string account, std::string listener) {
    envelope_.client = std::move(address);
    envelope_.account = std::move(account);
    envelope_.listener = std::move(listener);
  }
  void recipients(std::vector<mail::Recipient> recipients) { envelope_.recipients = std::move(recipients); }
  std::vector<std::string> addresses() const { return addresses_of(envelope_.recipients); }
  const std::string& sender() const { return envelope_.sender; }
  // By which the message is routed: the sender, or for a null sender the first address of From.
  std::string routing_sender() const;

  // What routing asks of it, without a recipient. Lives as long as this, until this is changed.
  route::Mail mail();

  // What leaves by each upstream of the route: envelope, changed fields of the header, and who signs.
  std::string departures();
  // Of all its ways, in their order.
  std::vector<route::Choice> choices();
  // Every recipient has an upstream to go to.
  bool has_ways();

 private:
  // What goes one way.
  struct Part {
    route::Route route;
    mail::Envelope envelope;
  };

  std::vector<Part> parts();
  std::string departure(const route::Choice& choice, const Part& part) const;

  std::shared_ptr<const route::Router> router_;
  rewrite::RewriteRules taken_;
  WaysOut ways_out_;
  mail::Envelope envelope_;
  std::string header_;
  route::HeaderValues header_values_;
  route::Client client_;
};

}  // namespace relayd::command
