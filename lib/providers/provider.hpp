// Provider: what is known of one provider of mail, as plain data.
//
// Stands below the stages: route reads how to connect there, settle what its replies mean and where its id
// stands. One file a provider, or for those of one house whose servers answer alike; providers.cpp lists
// them. Nothing here is secret. Each file names its sources and the day that they were read for. What was
// found in no document says "guess": it hurts nobody where it is wrong, so it is never a size, a quota or a
// username that is refused, and fails no message that the general rows would let wait.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "providers/reply_row.hpp"
#include "shared/config/config.hpp"
#include "shared/mail/control_field.hpp"
#include "shared/sasl/mechanism.hpp"
#include "shared/smtp/pipelining.hpp"
#include "shared/smtp/tls_mode.hpp"

namespace relayd::providers {

struct Endpoint {
  std::uint16_t port = 0;
  smtp::TlsMode tls = smtp::TlsMode::starttls;
  bool operator==(const Endpoint&) const = default;
};
constexpr Endpoint starttls(std::uint16_t port) {
  return {port, smtp::TlsMode::starttls};
}
constexpr Endpoint implicit(std::uint16_t port) {
  return {port, smtp::TlsMode::implicit};
}

struct Region {
  std::string_view name;
  std::string_view host;
};

// What a username looks like there.
enum class UsernameForm { any, address, no_address, one_word };

struct Account {
  UsernameForm form = UsernameForm::any;
  std::string_view word = {};  // of one_word: the one username
  std::string_view hint = {};  // what username and password are there, for whoever mistook them
};

// Where the reply to the final dot has the provider's id: its text begins with `before`, then come so many
// words, then the id up to `end` or a space.
struct IdPattern {
  std::string_view before;
  int words = 0;
  char end = ' ';
};

using Form = mail::OwnField::Form;

struct Provider {
  std::string_view name;
  // The first is the default; one without a name: there are no regions. A single one named "*" stands for
  // any, whose name replaces the "*" in the host. None at all: only its replies are known, and `provider:`
  // refuses it.
  std::vector<Region> regions = {};
  std::vector<Endpoint> endpoints = {};          // tried in order; ports that networks block most stand last
  std::vector<sasl::Mechanism> mechanisms = {};  // in order of preference
  Account account = {};
  config::UpstreamLimits limits = {};               // only what the provider tells
  std::optional<smtp::Pipelining> pipelining = {};  // only where the usual way is in doubt
  std::vector<ReplyRow> replies = {};               // before everybody's
  std::optional<IdPattern> id = {};                 // beside "queued as ID", which is everybody's
  mail::ControlFields control = {};                 // the header fields that it acts on
  std::string_view domain = {};                     // of its hosts, where it acts on some
  std::string_view spf = {};                        // what a sender's SPF record includes; empty: not known
  bool null_sender = true;                          // MAIL FROM:<> is taken there
  std::vector<std::string_view> replaces = {};  // fields of a header, which it writes anew: not to be signed

  // It can be named in the configuration.
  bool is_preset() const { return !regions.empty(); }
};
using Providers = std::vector<Provider>;

const Providers& all();

// Null for an unknown name.
const Provider* find(std::string_view name);

}  // namespace relayd::providers
