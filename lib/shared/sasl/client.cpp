#include <fmt/format.h>

#include "shared/sasl/gsasl.hpp"
#include "shared/sasl/sasl.hpp"
#include "shared/sasl/scram.hpp"
#include "shared/sasl/traits.hpp"

namespace relayd::sasl {

struct Client::Implementation {
  explicit Implementation(Mechanism chosen)
      : name(wire_name(chosen)), traits(traits_of(chosen)), session(Session::Side::client, name.c_str()) {}

  std::string name;
  const Traits& traits;
  Session session;
  bool nameless = false;
  int steps = 0;
  bool complete = false;
};

Client::Client(Mechanism mechanism, const Credential& credential,
               const std::optional<ChannelBinding>& binding)
    : implementation_(std::make_unique<Implementation>(mechanism)) {
  Session& session = implementation_->session;
  if (mechanism == Mechanism::external) {
    if (!credential.username.empty()) session.set(Property::authorization_identity, credential.username);
    return;
  }
  implementation_->nameless = credential.username.empty();
  session.set(Property::username, credential.username);
  session.set(Property::password, credential.password.reveal());
  // A plain SCRAM never sees the binding: libgsasl 2.2 fails when it has one. So its GS2 flag is "n", where
  // "y" could tell a server that somebody took -PLUS out of its offer; verified TLS leaves nobody who could.
  if (implementation_->traits.binds && binding)
    session.set(binding->type == "tls-exporter" ? Property::tls_exporter : Property::tls_unique,
                encode(binding->data));
}

Client::~Client() = default;

bool Client::has_initial_response() const {
  return implementation_->traits.initial_response;
}
bool Client::needs_derivation() const {
  return implementation_->traits.scram && implementation_->steps == 1;
}
bool Client::complete() const {
  return implementation_->complete;
}

Result<std::string> Client::step(std::string_view challenge) {
  Implementation& self = *implementation_;
  const std::optional<std::string> decoded = decode(challenge);
  if (!decoded) return Error{"the server's challenge is not base64"};
  if (self.nameless) return Error{fmt::format("{} needs a username", self.name)};
  if (self.complete) return Error{"the server goes on asking after the exchange has ended"};
  if (needs_derivation()) {
    const Result<bool> sound = check_server_first(*decoded);
    if (!sound) return Error{sound.error()};
  }
  ++self.steps;
  const Session::Step step = self.session.step(*decoded);
  switch (step.outcome) {
    case Session::Outcome::done:
      self.complete = true;
      [[fallthrough]];
    case Session::Outcome::goes_on:
      return encode(step.output);
    case Session::Outcome::unproved:
    case Session::Outcome::malformed:
      return Error{fmt::format("the server did not prove that it knows the password ({})", step.reason)};
    case Session::Outcome::fault:
      break;
  }
  return Error{fmt::format("{}: {}", self.name, step.reason)};
}

}  // namespace relayd::sasl
