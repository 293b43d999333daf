#include "shared/sasl/gsasl.hpp"

#include <fmt/format.h>
#include <gsasl.h>
#include <string.h>

#include <array>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "shared/base/secret.hpp"

namespace relayd::sasl {

namespace {

constexpr std::pair<Property, Gsasl_property> properties[] = {
    {Property::username, GSASL_AUTHID},
    {Property::authorization_identity, GSASL_AUTHZID},
    {Property::password, GSASL_PASSWORD},
    {Property::tls_exporter, GSASL_CB_TLS_EXPORTER},
    {Property::tls_unique, GSASL_CB_TLS_UNIQUE},
    {Property::iterations, GSASL_SCRAM_ITER},
    {Property::salt, GSASL_SCRAM_SALT},
    {Property::stored_key, GSASL_SCRAM_STOREDKEY},
    {Property::server_key, GSASL_SCRAM_SERVERKEY},
};

Gsasl_property library_property(Property wanted) {
  for (const auto& [ours, theirs] : properties)
    if (ours == wanted) return theirs;
  throw std::logic_error("a property without a row");
}

int answer(Gsasl*, Gsasl_session* session, Gsasl_property asked) {
  const auto* provide = static_cast<const Session::Provide*>(gsasl_session_hook_get(session));
  if (!provide || !*provide) return GSASL_NO_CALLBACK;
  for (const auto& [ours, theirs] : properties) {
    if (theirs != asked) continue;
    return (*provide)(ours) ? GSASL_OK : GSASL_NO_CALLBACK;
  }
  return GSASL_NO_CALLBACK;
}

Gsasl* library() {
  static Gsasl* const handle = [] {
    Gsasl* made = nullptr;
    if (gsasl_init(&made) != GSASL_OK) throw std::runtime_error("libgsasl cannot be initialised");
    gsasl_callback_set(made, answer);
    return made;
  }();
  return handle;
}

// The octets that the library allocated, which it then frees.
std::string take(char* bytes, std::size_t size) {
  if (!bytes) return {};
  std::string taken(bytes, size);
  ::explicit_bzero(bytes, size);
  gsasl_free(bytes);
  return taken;
}

Session::Outcome outcome_of(int code) {
  switch (code) {
    case GSASL_OK:
      return Session::Outcome::done;
    case GSASL_NEEDS_MORE:
      return Session::Outcome::goes_on;
    case GSASL_AUTHENTICATION_ERROR:
    case GSASL_INTEGRITY_ERROR:
      return Session::Outcome::unproved;
    case GSASL_MECHANISM_PARSE_ERROR:
      return Session::Outcome::malformed;
    default:
      return Session::Outcome::fault;
  }
}

}  // namespace

std::optional<std::string> decode(std::string_view base64) {
  if (base64.empty()) return std::string();
  char* out = nullptr;
  std::size_t size = 0;
  if (gsasl_base64_from(base64.data(), base64.size(), &out, &size) != GSASL_OK) return std::nullopt;
  return take(out, size);
}

std::string encode(std::string_view bytes) {
  if (bytes.empty()) return {};
  char* out = nullptr;
  std::size_t size = 0;
  if (gsasl_base64_to(bytes.data(), bytes.size(), &out, &size) != GSASL_OK) throw std::bad_alloc();
  return take(out, size);
}

std::string random_octets(std::size_t count) {
  std::string octets(count, '\0');
  if (gsasl_random(octets.data(), count) != GSASL_OK) throw std::runtime_error("no random numbers");
  return octets;
}

Result<ScramKeys> derive(std::string_view password, std::string_view salt, unsigned iterations) {
  const Secret terminated{std::string(password)};  // a std::string ends with the NUL that is asked for
  std::array<char, GSASL_HASH_SHA256_SIZE> salted, client_key, server_key, stored_key;
  const int code = gsasl_scram_secrets_from_password(GSASL_HASH_SHA256, terminated.reveal().data(),
                                                     iterations, salt.data(), salt.size(), salted.data(),
                                                     client_key.data(), server_key.data(), stored_key.data());
  if (code != GSASL_OK) return Error{gsasl_strerror(code)};
  const auto text = [](const auto& key) { return std::string(key.data(), key.size()); };
  return ScramKeys{text(salted), text(stored_key), text(server_key)};
}

struct Session::Implementation {
  Gsasl_session* session = nullptr;
  Provide provide;
};

Session::Session(Side side, const char* mechanism, Provide provide)
    : implementation_(std::make_unique<Implementation>()) {
  implementation_->provide = std::move(provide);
  const auto start = side == Side::client ? gsasl_client_start : gsasl_server_start;
  if (start(library(), mechanism, &implementation_->session) != GSASL_OK)
    throw std::logic_error(fmt::format("libgsasl has no {}", mechanism));
  gsasl_session_hook_set(implementation_->session, &implementation_->provide);
}

// The library frees a password and leaves it where it was.
Session::~Session() {
  if (const char* const password = gsasl_property_fast(implementation_->session, GSASL_PASSWORD))
    ::explicit_bzero(const_cast<char*>(password), std::strlen(password));
  gsasl_finish(implementation_->session);
}

void Session::set(Property property, std::string_view value) {
  gsasl_property_set_raw(implementation_->session, library_property(property), value.data(), value.size());
}

std::string Session::get(Property property) const {
  const char* value = gsasl_property_fast(implementation_->session, library_property(property));
  return value ? value : "";
}

Session::Step Session::step(std::string_view input) {
  char* bytes = nullptr;
  std::size_t size = 0;
  const int code = gsasl_step(implementation_->session, input.data(), input.size(), &bytes, &size);
  std::string output = take(bytes, size);
  const Outcome outcome = outcome_of(code);
  const bool good = outcome == Outcome::done || outcome == Outcome::goes_on;
  return {outcome, good ? std::move(output) : "", good ? "" : gsasl_strerror(code)};
}

}  // namespace relayd::sasl
