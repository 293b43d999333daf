#include "shared/sasl/sasl.hpp"

#include <fmt/format.h>
#include <gsasl.h>
#include <strings.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <mutex>
#include <stdexcept>

namespace relayd::sasl {

namespace {

// One row a mechanism. Everything else that libgsasl knows (NTLM, GSSAPI, DIGEST-MD5, …) cannot be reached.
struct Mechanism {
  const char* name;
  bool initial_response;  // the client speaks first
  bool derives;           // a step may run PBKDF2
  bool server;            // offered to clients
};
constexpr Mechanism mechanisms[] = {
    {"SCRAM-SHA-256", true, true, true},  // RFC 7677
    {"SCRAM-SHA-1", true, true, false},   // RFC 5802
    {"PLAIN", true, false, true},         // RFC 4616
    {"LOGIN", false, false, true},        // no RFC; draft-murchison-sasl-login
    {"CRAM-MD5", false, false, false},    // RFC 2195; only where it is named
};

// RFC 7677 4 sets the floor; the cap bounds what a hostile server can make us compute.
constexpr long scram_iterations_floor = 4096;
constexpr long scram_iterations_cap = 600'000;

bool equal_names(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

const Mechanism* find(std::string_view name) {
  for (const Mechanism& row : mechanisms)
    if (equal_names(row.name, name)) return &row;
  return nullptr;
}

std::string decode(std::string_view base64, bool& sound) {
  char* out = nullptr;
  std::size_t size = 0;
  sound = base64.empty() || gsasl_base64_from(base64.data(), base64.size(), &out, &size) == GSASL_OK;
  std::string decoded(out ? out : "", sound && out ? size : 0);
  gsasl_free(out);
  return decoded;
}

std::string encode(std::string_view bytes) {
  char* out = nullptr;
  if (bytes.empty() || gsasl_base64_to(bytes.data(), bytes.size(), &out, nullptr) != GSASL_OK) return {};
  std::string encoded(out);
  gsasl_free(out);
  return encoded;
}

// In a server-first-message, "r=…,s=…,i=4096"; libgsasl would compute for minutes on a large i, and takes
// i=1.
Result<bool> check_iterations(std::string_view server_first) {
  const auto at = server_first.find(",i=");
  if (at == std::string_view::npos) return Error{"the server's SCRAM message has no iteration count"};
  const char* begin = server_first.data() + at + 3;
  const char* end = server_first.data() + server_first.size();
  long count = 0;
  const auto [rest, failure] = std::from_chars(begin, end, count);
  if (failure != std::errc() || (rest != end && *rest != ','))
    return Error{"the server's SCRAM iteration count is not a number we accept"};
  if (count < scram_iterations_floor || count > scram_iterations_cap)
    return Error{fmt::format("the server wants {} SCRAM iterations; {} to {} are accepted", count,
                             scram_iterations_floor, scram_iterations_cap)};
  return true;
}

// Equal time for equal lengths; the length of a password is no secret worth more.
bool equal_secrets(std::string_view a, std::string_view b) {
  unsigned char difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i] ^ (b.empty() ? '\0' : b[i % b.size()]));
  return difference == 0;
}

int server_callback(Gsasl*, Gsasl_session* session, Gsasl_property property);

Gsasl* library() {
  static Gsasl* const handle = [] {
    Gsasl* made = nullptr;
    if (gsasl_init(&made) != GSASL_OK) throw std::runtime_error("libgsasl cannot be initialised");
    // Client sessions have no hook: their properties are set beforehand, and channel binding data is never
    // handed out.
    gsasl_callback_set(made, server_callback);
    return made;
  }();
  return handle;
}

// One raw step; `out` gets what is to be sent.
int raw_step(Gsasl_session* session, std::string_view in, std::string& out) {
  char* bytes = nullptr;
  std::size_t size = 0;
  const int code = gsasl_step(session, in.data(), in.size(), &bytes, &size);
  if (code == GSASL_OK || code == GSASL_NEEDS_MORE) out.assign(bytes ? bytes : "", bytes ? size : 0);
  if (bytes) {
    ::explicit_bzero(bytes, size);
    gsasl_free(bytes);
  }
  return code;
}

}  // namespace

std::string choose(const std::vector<std::string>& preferred, const std::vector<std::string>& offered) {
  for (const std::string& wanted : preferred) {
    const auto fits = [&](const std::string& name) { return equal_names(name, wanted); };
    if (find(wanted) && std::any_of(offered.begin(), offered.end(), fits)) return find(wanted)->name;
  }
  return {};
}

bool is_known(std::string_view mechanism) {
  return find(mechanism) != nullptr;
}

// --- client ---

struct Client::Implementation {
  const Mechanism* mechanism = nullptr;
  Gsasl_session* session = nullptr;
  int steps = 0;
  bool complete = false;
};

Client::Client(std::string_view mechanism, const Credential& credential)
    : implementation_(std::make_unique<Implementation>()) {
  implementation_->mechanism = find(mechanism);
  if (!implementation_->mechanism ||
      gsasl_client_start(library(), implementation_->mechanism->name, &implementation_->session) != GSASL_OK)
    throw std::logic_error(fmt::format("unknown SASL mechanism {}", mechanism));
  gsasl_property_set(implementation_->session, GSASL_AUTHID, credential.username.c_str());
  const std::string_view password = credential.password.reveal();
  gsasl_property_set_raw(implementation_->session, GSASL_PASSWORD, password.data(), password.size());
}

Client::~Client() {
  gsasl_finish(implementation_->session);
}

bool Client::has_initial_response() const {
  return implementation_->mechanism->initial_response;
}
bool Client::needs_derivation() const {
  return implementation_->mechanism->derives && implementation_->steps == 1;
}
bool Client::complete() const {
  return implementation_->complete;
}

Result<std::string> Client::step(std::string_view challenge) {
  Implementation& self = *implementation_;
  bool sound = false;
  const std::string decoded = decode(challenge, sound);
  if (!sound) return Error{"the server's challenge is not base64"};
  if (self.complete) return Error{"the server goes on asking after the exchange has ended"};
  if (self.mechanism->derives && self.steps == 1) {
    const Result<bool> bounded = check_iterations(decoded);
    if (!bounded) return Error{bounded.error()};
  }
  ++self.steps;
  std::string response;
  switch (const int code = raw_step(self.session, decoded, response)) {
    case GSASL_OK:
      self.complete = true;
      [[fallthrough]];
    case GSASL_NEEDS_MORE:
      return encode(response);
    case GSASL_AUTHENTICATION_ERROR:
    case GSASL_INTEGRITY_ERROR:
    case GSASL_MECHANISM_PARSE_ERROR:
      return Error{
          fmt::format("the server did not prove that it knows the password ({})", gsasl_strerror(code))};
    default:
      return Error{fmt::format("{}: {}", self.mechanism->name, gsasl_strerror(code))};
  }
}

// --- server ---

struct Server::Implementation {
  const Mechanism* mechanism = nullptr;
  Gsasl_session* session = nullptr;
  Lookup lookup;
  std::string username;
  int steps = 0;
};

namespace {

// For a name that nobody has: the exchange goes on as for any other, and fails at its end.
const char* const nobodys_password = "\x01 no account has this password";

int server_callback(Gsasl*, Gsasl_session* session, Gsasl_property property) {
  auto* lookup = static_cast<const Server::Lookup*>(gsasl_session_hook_get(session));
  if (!lookup) return GSASL_NO_CALLBACK;
  const char* name = gsasl_property_fast(session, GSASL_AUTHID);
  if (property != GSASL_VALIDATE_SIMPLE && property != GSASL_PASSWORD) return GSASL_NO_CALLBACK;
  const std::optional<Secret> found = (*lookup)(name ? name : "");
  const std::string expected(found ? found->reveal() : nobodys_password);
  if (property == GSASL_PASSWORD) {
    gsasl_property_set(session, GSASL_PASSWORD, expected.c_str());
    return GSASL_OK;
  }
  const char* authzid = gsasl_property_fast(session, GSASL_AUTHZID);
  const char* given = gsasl_property_fast(session, GSASL_PASSWORD);
  if (authzid && *authzid && std::string_view(authzid) != (name ? name : ""))
    return GSASL_AUTHENTICATION_ERROR;
  return given && equal_secrets(given, expected) && found ? GSASL_OK : GSASL_AUTHENTICATION_ERROR;
}

}  // namespace

Server::Server(std::string_view mechanism, Lookup lookup)
    : implementation_(std::make_unique<Implementation>()) {
  implementation_->mechanism = find(mechanism);
  implementation_->lookup = std::move(lookup);
  if (!implementation_->mechanism || !implementation_->mechanism->server ||
      gsasl_server_start(library(), implementation_->mechanism->name, &implementation_->session) != GSASL_OK)
    throw std::logic_error(fmt::format("unknown SASL mechanism {}", mechanism));
  gsasl_session_hook_set(implementation_->session, &implementation_->lookup);
}

Server::~Server() {
  gsasl_finish(implementation_->session);
}

bool Server::needs_derivation() const {
  return implementation_->mechanism->derives && implementation_->steps >= 1;
}

Server::Step Server::begin(const std::optional<std::string>& initial_response) {
  if (implementation_->mechanism->initial_response)
    return initial_response ? step(*initial_response) : Step{Step::Kind::challenge, ""};
  Step first = step("");
  return initial_response ? step(*initial_response) : first;
}

Server::Step Server::step(std::string_view response) {
  Implementation& self = *implementation_;
  bool sound = false;
  const std::string decoded = decode(response, sound);
  if (!sound) return {Step::Kind::failure, "the response is not base64", true};
  // libgsasl would ask again, and again.
  if (self.mechanism->initial_response && decoded.empty() && self.steps == 0)
    return {Step::Kind::failure, "the response is empty", true};
  ++self.steps;
  std::string out;
  const int code = raw_step(self.session, decoded, out);
  const char* name = gsasl_property_fast(self.session, GSASL_AUTHID);
  self.username = name ? name : "";
  if (code == GSASL_NEEDS_MORE) return {Step::Kind::challenge, encode(out)};
  if (code != GSASL_OK)
    return {Step::Kind::failure, gsasl_strerror(code), code == GSASL_MECHANISM_PARSE_ERROR};
  return {Step::Kind::success, encode(out)};
}

const std::string& Server::username() const {
  return implementation_->username;
}

std::string server_mechanisms() {
  std::string list;
  for (const Mechanism& row : mechanisms)
    if (row.server) list += list.empty() ? row.name : fmt::format(" {}", row.name);
  return list;
}

}  // namespace relayd::sasl
