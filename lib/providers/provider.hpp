// Provider: what is known of one provider of mail, as plain data.
//
// Stands below the stages: route reads how to connect there, settle what its replies mean and where its id
// stands. One file a provider, or for those of one house whose servers answer alike; providers.cpp lists
// them; docs/providers.md is made of them. Nothing here is secret. Each names its sources and the day that
// they were read for. What was found in no document says "guess": it hurts nobody where it is wrong, so it is
// never a size, a quota or a username that is refused, and fails no message that the general rows would let
// wait.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "providers/reply_row.hpp"
#include "shared/config/config.hpp"
#include "shared/mail/control_field.hpp"
#include "shared/sasl/mechanism.hpp"
#include "shared/smtp/pipelining.hpp"
#include "shared/smtp/stage.hpp"
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
  std::string_view word = {};    // of one_word: the one username
  std::string_view suffix = {};  // of one_word: what may follow it, with more behind; empty: nothing
  std::string_view hint = {};    // what username and password are there, for whoever mistook them
};

// Where the reply to the final dot has the provider's id: its text begins with `before`, then come so many
// words, then the id up to `end` or a space.
struct IdPattern {
  std::string_view before;
  int words = 0;
  char end = ' ';
};

// A day on which things go wrong there: what its server says at a stage, for `relayd sandbox`.
struct Behaviour {
  std::string_view name;   // "throttle"
  smtp::Stage stage;       // from the greeting on
  std::string_view reply;  // as on the wire, one line; empty: it closes the connection instead
};

// When the sources were read, where a provider does not say another day.
inline constexpr std::string_view usual_day = "21 November 2026";

using Form = mail::OwnField::Form;

struct Provider {
  std::string_view name;
  // The first is the default; one without a name: there are no regions. A single one named "*" stands for
  // any, whose name replaces the "*" in the host. One without a host: each account has its own. None at all:
  // `provider:` refuses it.
  std::vector<Region> regions = {};
  std::string_view example_region = "eu-west-1";  // where any may be named
  std::vector<Endpoint> endpoints = {};           // tried in order; ports that networks block most stand last
  std::vector<sasl::Mechanism> mechanisms = {};   // in order of preference
  std::optional<config::OAuth2Provider> oauth2 = {};  // who gives access tokens for it
  std::string_view token_refusal = {};  // JSON in a 334, before a token is refused; empty: no 334 comes
  Account account = {};
  config::UpstreamLimits limits = {};               // only what the provider tells
  std::optional<smtp::Pipelining> pipelining = {};  // only where the usual way is in doubt
  std::vector<ReplyRow> replies = {};               // before everybody's
  std::optional<IdPattern> id = {};                 // beside "queued as ID", which is everybody's
  mail::ControlFields control = {};                 // the header fields that it acts on
  std::string_view domain = {};                     // of its hosts, where it acts on some
  std::string_view spf = {};                        // what a sender's SPF record includes; empty: not known
  bool null_sender = true;                          // MAIL FROM:<> is taken there
  std::vector<std::string_view> replaces = {};   // fields of a header, which it writes anew: not to be signed
  std::vector<std::string_view> selectors = {};  // of its DKIM keys at a sender's domain; empty: not known

  // How its server looks from outside, for `relayd sandbox`.
  std::vector<std::string_view> extensions = {"8BITMIME"};  // in EHLO, beside SIZE, STARTTLS and AUTH
  std::string_view taken = "250 2.0.0 Ok";                  // to the final dot; "{}" stands for its id
  std::vector<Behaviour> behaviours = {};                   // before everybody's of the same name

  std::vector<std::string_view> notes = {};  // what its users stumble over, a sentence each
  std::string_view source = {};              // what was read
  std::string_view day = usual_day;

  // It can be named in the configuration.
  bool is_preset() const { return !regions.empty(); }
  // No password logs in there.
  bool takes_tokens_alone() const {
    return !mechanisms.empty() && std::ranges::all_of(mechanisms, sasl::takes_token);
  }
};
using Providers = std::vector<Provider>;

const Providers& all();

// Null for an unknown name.
const Provider* find(std::string_view name);

}  // namespace relayd::providers
