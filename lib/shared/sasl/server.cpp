#include <fmt/format.h>

#include <stdexcept>

#include "shared/sasl/gsasl.hpp"
#include "shared/sasl/sasl.hpp"
#include "shared/sasl/traits.hpp"

namespace relayd::sasl {

namespace {

// For a name that nobody has: the exchange goes on as for any other, and fails at its end.
const char* const nobodys_password = "\x01 no account has this password";

const Traits& offered(Mechanism mechanism) {
  const Traits& traits = traits_of(mechanism);
  if (!traits.server)
    throw std::logic_error(fmt::format("{} is not offered to clients", wire_name(mechanism)));
  return traits;
}

// Equal time for equal lengths; the length of a password is no secret worth more.
bool equal_secrets(std::string_view a, std::string_view b) {
  unsigned char difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i] ^ (b.empty() ? '\0' : b[i % b.size()]));
  return difference == 0;
}

bool fits(std::string_view password, const ScramSecret& secret) {
  const Result<ScramKeys> keys = derive(password, secret.salt, secret.iterations);
  return keys && equal_secrets(keys->stored_key, secret.stored_key);
}

}  // namespace

// A salt that changes would tell who has no SCRAM secret kept.
ScramSecret made_up_secret(std::string_view name, unsigned iterations) {
  static const std::string key = encode(random_octets(32));
  const Result<ScramKeys> keys = derive(key, std::string(name), 1);
  if (!keys) return {iterations, random_octets(16), random_octets(32), random_octets(32)};
  return {iterations, keys->salted_password.substr(0, 16), keys->stored_key, keys->server_key};
}

struct Server::Implementation {
  Implementation(Mechanism chosen, Lookup accounts, std::optional<ChannelBinding> channel)
      : traits(offered(chosen)),
        lookup(std::move(accounts)),
        binding(std::move(channel)),
        session(Session::Side::server, wire_name(chosen).c_str(),
                [this](Property wanted) { return provide(wanted); }) {}

  bool set(Property property, std::string_view value) {
    session.set(property, value);
    return true;
  }

  // RFC 5802 9: what the library asks the server's side for.
  bool provide(Property wanted) {
    if (wanted == Property::tls_exporter || wanted == Property::tls_unique) return provide_binding(wanted);
    const std::string name = session.get(Property::username);
    const std::optional<Stored> found = lookup(name);
    const auto* const kept = found ? std::get_if<ScramSecret>(&*found) : nullptr;
    switch (wanted) {
      case Property::password_check:
        return found && is_right(*found);
      case Property::salt:
        return set(wanted, encode(kept ? kept->salt : made_up_secret(name, 1).salt));
      case Property::iterations:
        return kept && set(wanted, std::to_string(kept->iterations));
      case Property::stored_key:
        return kept && set(wanted, encode(kept->stored_key));
      case Property::server_key:
        return kept && set(wanted, encode(kept->server_key));
      case Property::password:
        return !kept && set(wanted, found ? std::get<Secret>(*found).reveal() : nobodys_password);
      default:
        return false;
    }
  }

  bool provide_binding(Property wanted) {
    const std::string_view type = wanted == Property::tls_exporter ? "tls-exporter" : "tls-unique";
    return binding && binding->type == type && set(wanted, encode(binding->data));
  }

  // A name and password in clear. Nobody acts for another: an authorization identity is one's own or none.
  bool is_right(const Stored& stored) {
    const std::string identity = session.get(Property::authorization_identity);
    if (!identity.empty() && identity != session.get(Property::username)) return false;
    const Secret given(session.get(Property::password));
    if (const auto* kept = std::get_if<ScramSecret>(&stored)) return fits(given.reveal(), *kept);
    return equal_secrets(given.reveal(), std::get<Secret>(stored).reveal());
  }

  const Traits& traits;
  Lookup lookup;
  std::optional<ChannelBinding> binding;
  Session session;
  std::string username;
  int steps = 0;
};

Server::Server(Mechanism mechanism, Lookup lookup, std::optional<ChannelBinding> binding)
    : implementation_(std::make_unique<Implementation>(mechanism, std::move(lookup), std::move(binding))) {}

Server::~Server() = default;

bool Server::needs_derivation() const {
  return implementation_->steps >= implementation_->traits.server_derives_from;
}

Server::Step Server::begin(const std::optional<std::string>& initial_response) {
  if (implementation_->traits.initial_response)
    return initial_response ? step(*initial_response) : Step{Step::Kind::challenge, ""};
  Step first = step("");
  return initial_response ? step(*initial_response) : first;
}

Server::Step Server::step(std::string_view response) {
  Implementation& self = *implementation_;
  std::optional<std::string> octets = decode(response);
  if (!octets) return {Step::Kind::failure, "the response is not base64", true};
  const Secret decoded(std::move(*octets));
  // libgsasl would ask again, and again.
  if (self.traits.initial_response && decoded.empty() && self.steps == 0)
    return {Step::Kind::failure, "the response is empty", true};
  ++self.steps;
  const Session::Step step = self.session.step(decoded.reveal());
  self.username = self.session.get(Property::username);
  switch (step.outcome) {
    case Session::Outcome::goes_on:
      return {Step::Kind::challenge, encode(step.output)};
    case Session::Outcome::done:
      return {Step::Kind::success, encode(step.output)};
    default:
      return {Step::Kind::failure, step.reason, step.outcome == Session::Outcome::malformed};
  }
}

const std::string& Server::username() const {
  return implementation_->username;
}

}  // namespace relayd::sasl
