#include "shared/net/tls.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/is_boringssl.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>

#include "shared/net/tls_text.hpp"

namespace relayd::net {

using async::IoError;
using async::IoFault;

namespace {

constexpr const char* system_bundle = "/etc/ssl/certs/ca-certificates.crt";

// Forward secrecy and authenticated encryption only; TLS 1.3 chooses for itself.
constexpr const char* tls1_2_ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

bool is_ip_literal(const std::string& name) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, name.c_str(), bytes) == 1 || inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

SSL_CTX* new_context() {
  SSL_CTX* context = SSL_CTX_new(TLS_method());
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_strict_cipher_list(context, tls1_2_ciphers);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  return context;
}

}  // namespace

std::string tls_library() {
  return fmt::format("BoringSSL API {}", BORINGSSL_API_VERSION);
}

// --- contexts ---

Result<std::shared_ptr<TlsClientContext>> TlsClientContext::create(const async::TlsPolicy& policy) {
  SSL_CTX* native = new_context();
  std::shared_ptr<TlsClientContext> context(new TlsClientContext(policy, native));
  if (policy.tls1_3_only) SSL_CTX_set_min_proto_version(native, TLS1_3_VERSION);
  if (!policy.verify) return context;
  const std::string& file = policy.ca_file.empty() ? system_bundle : policy.ca_file;
  if (SSL_CTX_load_verify_locations(native, file.c_str(), nullptr) != 1) {
    ERR_clear_error();
    if (policy.ca_file.empty())
      return Error{fmt::format(
          "no CA certificates in {}: install the ca-certificates package, or set tls_options.ca_file", file)};
    return Error{fmt::format("cannot read CA certificates from {} (tls_options.ca_file)", file)};
  }
  SSL_CTX_set_verify(native, SSL_VERIFY_PEER, nullptr);
  return context;
}

TlsClientContext::~TlsClientContext() {
  SSL_CTX_free(context_);
}

Result<std::shared_ptr<TlsServerContext>> TlsServerContext::create(const std::vector<Files>& files) {
  std::shared_ptr<TlsServerContext> server(new TlsServerContext());
  for (const Files& pair : files) {
    SSL_CTX* native = new_context();
    server->contexts_.push_back(native);
    if (SSL_CTX_use_certificate_chain_file(native, pair.certificate.c_str()) != 1)
      return Error{
          fmt::format("cannot read a certificate from {}: {}", pair.certificate, take_library_error())};
    if (SSL_CTX_use_PrivateKey_file(native, pair.key.c_str(), SSL_FILETYPE_PEM) != 1)
      return Error{
          fmt::format("cannot use the key {} with {}: {}", pair.key, pair.certificate, take_library_error())};
    X509* leaf = SSL_CTX_get0_certificate(native);
    X509_up_ref(leaf);
    server->leaves_.push_back(leaf);
  }
  SSL_CTX_set_tlsext_servername_arg(server->native(), server.get());
  SSL_CTX_set_tlsext_servername_callback(server->native(), [](SSL* ssl, int*, void* argument) -> int {
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (!name) return SSL_TLSEXT_ERR_NOACK;
    if (SSL_CTX* fitting = static_cast<TlsServerContext*>(argument)->for_name(name))
      SSL_set_SSL_CTX(ssl, fitting);
    return SSL_TLSEXT_ERR_OK;
  });
  return server;
}

TlsServerContext::~TlsServerContext() {
  for (X509* leaf : leaves_) X509_free(leaf);
  for (SSL_CTX* context : contexts_) SSL_CTX_free(context);
}

SSL_CTX* TlsServerContext::for_name(const char* name) const {
  for (std::size_t i = 0; i < leaves_.size(); ++i)
    if (X509_check_host(leaves_[i], name, std::strlen(name), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr) ==
        1)
      return contexts_[i];
  return nullptr;
}

// --- the engine's ends ---

// A BIO over the two members of an engine: reads take from input_, writes append to output_.
struct EngineBio {
  static int read(BIO* bio, char* out, int size) {
    BIO_clear_retry_flags(bio);
    std::string_view& input = static_cast<TlsEngine*>(BIO_get_data(bio))->input_;
    if (input.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t taken = std::min(input.size(), static_cast<std::size_t>(size));
    std::memcpy(out, input.data(), taken);
    input.remove_prefix(taken);
    return static_cast<int>(taken);
  }
  static int write(BIO* bio, const char* bytes, int size) {
    static_cast<TlsEngine*>(BIO_get_data(bio))->output_.append(bytes, static_cast<std::size_t>(size));
    return size;
  }
  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static const BIO_METHOD* method() {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "relayd engine");
      BIO_meth_set_read(made, read);
      BIO_meth_set_write(made, write);
      BIO_meth_set_ctrl(made, control);
      return made;
    }();
    return method;
  }
};

void TlsEngine::attach() {
  BIO* bio = BIO_new(EngineBio::method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
}

TlsEngine::TlsEngine(std::shared_ptr<TlsClientContext> context) : client_(std::move(context)) {
  ssl_ = SSL_new(client_->native());
  attach();
  SSL_set_connect_state(ssl_);
  const async::TlsPolicy& policy = client_->policy();
  facts_.peer_name = policy.name;
  const bool literal = is_ip_literal(policy.name);
  if (!literal) SSL_set_tlsext_host_name(ssl_, policy.name.c_str());
  if (!policy.verify) return;
  X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl_);
  X509_VERIFY_PARAM_set_hostflags(parameters,
                                  X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (literal)
    X509_VERIFY_PARAM_set1_ip_asc(parameters, policy.name.c_str());
  else
    X509_VERIFY_PARAM_set1_host(parameters, policy.name.c_str(), policy.name.size());
}

TlsEngine::TlsEngine(std::shared_ptr<TlsServerContext> context) : server_(std::move(context)) {
  ssl_ = SSL_new(server_->native());
  attach();
  SSL_set_accept_state(ssl_);
}

TlsEngine::~TlsEngine() {
  SSL_free(ssl_);
}

// --- the engine at work ---

TlsEngine::Step TlsEngine::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) {
    facts_.version = SSL_get_version(ssl_);
    facts_.cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl_));
    facts_.resumed = SSL_session_reused(ssl_) == 1;
    facts_.verified = client_ && client_->policy().verify;
    if (server_) {
      const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
      facts_.peer_name = name ? name : "";
    }
    return Step::done;
  }
  if (SSL_get_error(ssl_, result) == SSL_ERROR_WANT_READ) return Step::needs_input;
  fail("the TLS handshake failed");
}

std::pair<TlsEngine::Step, std::size_t> TlsEngine::read(std::span<char> clear) {
  ERR_clear_error();
  const int result =
      SSL_read(ssl_, clear.data(), static_cast<int>(std::min<std::size_t>(clear.size(), 1U << 20)));
  if (result > 0) return {Step::done, static_cast<std::size_t>(result)};
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return {Step::needs_input, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {Step::ended, 0};
    default:
      fail("TLS broke");
  }
}

void TlsEngine::write(std::string_view clear) {
  ERR_clear_error();
  while (!clear.empty()) {
    const int result =
        SSL_write(ssl_, clear.data(), static_cast<int>(std::min<std::size_t>(clear.size(), 1U << 20)));
    if (result <= 0) fail("TLS broke");
    clear.remove_prefix(static_cast<std::size_t>(result));
  }
}

void TlsEngine::end() {
  ERR_clear_error();
  SSL_shutdown(ssl_);
  ERR_clear_error();
}

std::string TlsEngine::exporter() const {
  static constexpr std::string_view label = "EXPORTER-Channel-Binding";  // RFC 9266 2
  if (SSL_version(ssl_) < TLS1_3_VERSION && !SSL_get_extms_support(ssl_)) return {};
  std::string material(32, '\0');
  const int done = SSL_export_keying_material(ssl_, reinterpret_cast<std::uint8_t*>(material.data()),
                                              material.size(), label.data(), label.size(), nullptr, 0, 0);
  return done == 1 ? material : std::string();
}

void TlsEngine::fail(const char* during) {
  if (client_ && client_->policy().verify) {
    const long verdict = SSL_get_verify_result(ssl_);
    if (verdict != X509_V_OK) {
      ERR_clear_error();
      throw IoError(IoFault::tls, certificate_problem(verdict, peer_leaf(ssl_), client_->policy()));
    }
  }
  throw IoError(IoFault::tls, fmt::format("{}: {}", during, take_library_error()));
}

}  // namespace relayd::net
