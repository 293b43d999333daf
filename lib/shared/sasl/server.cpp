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

namespace {

// PLAIN (RFC 4616) and LOGIN, which bring the password itself. They are our own: libgsasl frees what it has
// decoded as it is.
class InClear {
 public:
  InClear(Mechanism mechanism, const Server::Lookup& lookup) : mechanism_(mechanism), lookup_(lookup) {}

  Server::Step step(std::string_view response) {
    return mechanism_ == Mechanism::plain ? plain(response) : login(response);
  }
  const std::string& username() const { return username_; }

 private:
  using Kind = Server::Step::Kind;

  // [authorization identity] NUL name NUL password
  Server::Step plain(std::string_view message) {
    const std::size_t first = message.find('\0');
    const std::size_t second = first == std::string_view::npos ? first : message.find('\0', first + 1);
    if (second == std::string_view::npos || second == first + 1) return malformed();
    const std::string_view identity = message.substr(0, first);
    username_ = message.substr(first + 1, second - first - 1);
    // Nobody acts for another: an authorization identity is one's own or none.
    return judge(message.substr(second + 1), identity.empty() || identity == username_);
  }

  Server::Step login(std::string_view message) {
    switch (steps_++) {
      case 0:
        return {Kind::challenge, encode("User Name")};
      case 1:
        username_ = message;
        if (message.empty() || message.find('\0') != std::string_view::npos) return malformed();
        return {Kind::challenge, encode("Password")};
      default:
        return judge(message, true);
    }
  }

  Server::Step judge(std::string_view password, bool as_oneself) const {
    if (password.find('\0') != std::string_view::npos) return malformed();
    const std::optional<Server::Stored> stored = lookup_(username_);
    const bool right = stored && is_right(password, *stored);
    if (right && as_oneself) return {Kind::success, ""};
    return {Kind::failure, "the name or the password is wrong"};
  }

  static bool is_right(std::string_view password, const Server::Stored& stored) {
    if (const auto* const kept = std::get_if<ScramSecret>(&stored)) return fits(password, *kept);
    return equal_secrets(password, std::get<Secret>(stored).reveal());
  }

  static Server::Step malformed() {
    return {Kind::failure, "the response is no message of the mechanism", true};
  }

  Mechanism mechanism_;
  const Server::Lookup& lookup_;
  std::string username_;
  int steps_ = 0;
};

}  // namespace

struct Server::Implementation {
  Implementation(Mechanism chosen, Lookup accounts, std::optional<ChannelBinding> channel)
      : traits(offered(chosen)), lookup(std::move(accounts)), binding(std::move(channel)) {
    if (chosen == Mechanism::plain || chosen == Mechanism::login)
      in_clear.emplace(chosen, lookup);
    else
      session.emplace(Session::Side::server, wire_name(chosen).c_str(),
                      [this](Property wanted) { return provide(wanted); });
  }

  bool set(Property property, std::string_view value) {
    session->set(property, value);
    return true;
  }

  // RFC 5802 9: what the library asks the server's side for.
  bool provide(Property wanted) {
    if (wanted == Property::tls_exporter || wanted == Property::tls_unique) return provide_binding(wanted);
    const std::string name = session->get(Property::username);
    const std::optional<Stored> found = lookup(name);
    const auto* const kept = found ? std::get_if<ScramSecret>(&*found) : nullptr;
    switch (wanted) {
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

  Step step(std::string_view response) {
    if (in_clear) {
      Step step = in_clear->step(response);
      username = in_clear->username();
      return step;
    }
    const Session::Step step = session->step(response);
    username = session->get(Property::username);
    switch (step.outcome) {
      case Session::Outcome::goes_on:
        return {Step::Kind::challenge, encode(step.output)};
      case Session::Outcome::done:
        return {Step::Kind::success, encode(step.output)};
      default:
        return {Step::Kind::failure, step.reason, step.outcome == Session::Outcome::malformed};
    }
  }

  const Traits& traits;
  const Lookup lookup;
  const std::optional<ChannelBinding> binding;
  std::optional<InClear> in_clear;
  std::optional<Session> session;
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
  return self.step(decoded.reveal());
}

const std::string& Server::username() const {
  return implementation_->username;
}

}  // namespace relayd::sasl
