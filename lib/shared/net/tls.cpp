#include "shared/net/tls.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/is_boringssl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "shared/net/tls_text.hpp"
#include "shared/net/tls_verify.hpp"

namespace relayd::net {

using async::IoError;
using async::IoFault;

namespace {

// Forward secrecy and authenticated encryption only; TLS 1.3 chooses for itself.
constexpr const char* tls1_2_ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

SSL_CTX* new_context() {
  SSL_CTX* context = SSL_CTX_new(TLS_method());
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_strict_cipher_list(context, tls1_2_ciphers);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  return context;
}

// Which file this is and when it changed; empty: there is none.
std::string file_stamp(const std::string& file) {
  struct stat status {};
  if (file.empty() || ::stat(file.c_str(), &status) != 0) return {};
  return fmt::format("{} {} {}.{:09} {};", status.st_dev, status.st_ino, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec, status.st_size);
}

std::optional<WallTime> end_of(const X509* certificate) {
  const std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)> epoch(ASN1_TIME_set(nullptr, 0),
                                                                    ASN1_TIME_free);
  int days = 0, seconds = 0;
  if (ASN1_TIME_diff(&days, &seconds, epoch.get(), X509_get0_notAfter(certificate)) != 1) return std::nullopt;
  return WallTime(std::chrono::days(days) + std::chrono::seconds(seconds));
}

}  // namespace

std::optional<WallTime> certificate_until(const std::string& file) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_file(file.c_str(), "r"), BIO_free);
  const std::unique_ptr<X509, decltype(&X509_free)> leaf(
      bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : nullptr, X509_free);
  ERR_clear_error();
  return leaf ? end_of(leaf.get()) : std::nullopt;
}

// What the library asks a client's engine during its work.
struct EngineCallbacks {
  static TlsEngine& engine(const SSL* ssl) { return *static_cast<TlsEngine*>(SSL_get_app_data(ssl)); }

  static ssl_verify_result_t verify(SSL* ssl, std::uint8_t* alert) {
    TlsEngine& self = engine(ssl);
    if (X509* const leaf = SSL_get_peer_certificate(ssl)) {
      self.facts_.certificate_until = end_of(leaf);
      X509_free(leaf);
    }
    CertificateProblem problem = verify_peer(ssl, self.client_.context->policy());
    if (problem.text.empty()) return ssl_verify_ok;
    *alert = problem.alert;
    self.problem_ = std::move(problem.text);
    return ssl_verify_invalid;
  }
  static int keep_session(SSL* ssl, SSL_SESSION* session) {
    const TlsClient& client = engine(ssl).client_;
    client.context->sessions().put(client.peer, TlsSession(session));
    return 1;  // it is ours now
  }
  static int certificate_asked(SSL* ssl, void*) {
    engine(ssl).certificate_asked_ = true;
    return 1;
  }
};

std::string tls_library() {
  return fmt::format("BoringSSL API {}", BORINGSSL_API_VERSION);
}

// --- contexts ---

TlsClientContext::TlsClientContext(async::TlsPolicy policy, SSL_CTX* context)
    : policy_(std::move(policy)), context_(context) {
  if (policy_.name.ends_with('.'))
    policy_.name.pop_back();  // neither SNI (RFC 6066 3) nor certificates have it
  if (policy_.tls1_3_only) SSL_CTX_set_min_proto_version(context_, TLS1_3_VERSION);
  SSL_CTX_set_custom_verify(context_, SSL_VERIFY_PEER, EngineCallbacks::verify);
  SSL_CTX_set_reverify_on_resume(context_, 1);
  SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT);
  SSL_CTX_sess_set_new_cb(context_, EngineCallbacks::keep_session);
  SSL_CTX_set_cert_cb(context_, EngineCallbacks::certificate_asked, nullptr);
}

Result<std::shared_ptr<TlsClientContext>> TlsClientContext::create(const async::TlsPolicy& policy) {
  std::shared_ptr<TlsClientContext> context(new TlsClientContext(policy, new_context()));
  context->stamp_ = context->stamp();
  std::string problem;
  if (policy.verify) problem = context->load_authorities();
  if (problem.empty() && !policy.client_certificate.empty()) problem = context->load_certificate();
  if (!problem.empty()) return Error{std::move(problem)};
  return context;
}

std::string TlsClientContext::load_authorities() {
  const std::string& file = authorities();
  if (SSL_CTX_load_verify_locations(context_, file.c_str(), nullptr) == 1) return {};
  ERR_clear_error();
  if (policy_.ca_file.empty())
    return fmt::format(
        "no CA certificates in {}: install the ca-certificates package, or set tls_options.ca_file", file);
  return fmt::format("cannot read CA certificates from {} (tls_options.ca_file)", file);
}

std::string TlsClientContext::load_certificate() {
  if (SSL_CTX_use_certificate_chain_file(context_, policy_.client_certificate.c_str()) != 1)
    return fmt::format("cannot read a certificate from {} (tls_options.client_certificate): {}",
                       policy_.client_certificate, take_library_error());
  if (SSL_CTX_use_PrivateKey_file(context_, policy_.client_key.c_str(), SSL_FILETYPE_PEM) != 1)
    return fmt::format("cannot use the key {} (tls_options.client_key) with {}: {}", policy_.client_key,
                       policy_.client_certificate, take_library_error());
  return {};
}

const std::string& TlsClientContext::authorities() const {
  static const std::string system_bundle = "/etc/ssl/certs/ca-certificates.crt";
  return policy_.ca_file.empty() ? system_bundle : policy_.ca_file;
}

std::string TlsClientContext::stamp() const {
  return file_stamp(authorities()) + file_stamp(policy_.client_certificate) + file_stamp(policy_.client_key);
}

TlsClientContext::~TlsClientContext() {
  SSL_CTX_free(context_);
}

std::string TlsServerContext::add(const Files& pair) {
  SSL_CTX* native = new_context();
  contexts_.push_back(native);
  SSL_CTX_set_options(native, SSL_OP_CIPHER_SERVER_PREFERENCE);
  if (SSL_CTX_use_certificate_chain_file(native, pair.certificate.c_str()) != 1)
    return fmt::format("cannot read a certificate from {}: {}", pair.certificate, take_library_error());
  if (SSL_CTX_use_PrivateKey_file(native, pair.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return fmt::format("cannot use the key {} with {}: {}", pair.key, pair.certificate, take_library_error());
  X509* leaf = SSL_CTX_get0_certificate(native);
  X509_up_ref(leaf);
  leaves_.push_back(leaf);
  return {};
}

Result<std::shared_ptr<TlsServerContext>> TlsServerContext::create(const std::vector<Files>& files) {
  std::shared_ptr<TlsServerContext> server(new TlsServerContext());
  for (const Files& pair : files)
    if (std::string problem = server->add(pair); !problem.empty()) return Error{std::move(problem)};
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

std::optional<WallTime> TlsServerContext::until() const {
  std::optional<WallTime> first;
  for (const X509* leaf : leaves_) {
    const std::optional<WallTime> until = end_of(leaf);
    if (until && (!first || *until < *first)) first = until;
  }
  return first;
}

SSL_CTX* TlsServerContext::for_name(const char* name) const {
  for (const unsigned wildcards : {X509_CHECK_FLAG_NO_WILDCARDS, 0})
    for (std::size_t i = 0; i < leaves_.size(); ++i)
      if (X509_check_host(leaves_[i], name, std::strlen(name),
                          X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | wildcards, nullptr) == 1)
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
  SSL_set_app_data(ssl_, this);
  SSL_set_bio(ssl_, bio, bio);
}

TlsEngine::TlsEngine(TlsClient client) : client_(std::move(client)) {
  ssl_ = SSL_new(client_.context->native());
  attach();
  SSL_set_connect_state(ssl_);
  const std::string& name = client_.context->policy().name;
  facts_.peer_name = name;
  if (!is_ip_literal(name)) SSL_set_tlsext_host_name(ssl_, name.c_str());
  if (const TlsSession session = client_.context->sessions().take(client_.peer))
    SSL_set_session(ssl_, session.get());
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
    facts_.verified = client_.context && client_.context->policy().verify;
    if (server_) {
      const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
      facts_.peer_name = name ? name : "";
    }
    return Step::done;
  }
  if (SSL_get_error(ssl_, result) == SSL_ERROR_WANT_READ) return Step::needs_input;
  if (client_.context) client_.context->sessions().forget(client_.peer);
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

std::optional<async::ChannelBinding> TlsEngine::channel_binding() const {
  static constexpr std::string_view label = "EXPORTER-Channel-Binding";  // RFC 9266 2
  if (SSL_version(ssl_) >= TLS1_3_VERSION) {
    std::uint8_t material[32];
    if (SSL_export_keying_material(ssl_, material, sizeof material, label.data(), label.size(), nullptr, 0,
                                   0) != 1)
      return std::nullopt;
    return async::ChannelBinding{"tls-exporter", {std::begin(material), std::end(material)}};
  }
  std::uint8_t unique[EVP_MAX_MD_SIZE];
  std::size_t size = 0;
  if (!SSL_get_extms_support(ssl_) || SSL_get_tls_unique(ssl_, unique, &size, sizeof unique) != 1)
    return std::nullopt;
  return async::ChannelBinding{"tls-unique", {unique, unique + size}};
}

void TlsEngine::fail(const char* during) {
  if (client_.context) {
    const std::string text = take_client_error(client_.context->policy(), certificate_asked_);
    throw IoError(IoFault::tls, problem_.empty() ? text : problem_);
  }
  throw IoError(IoFault::tls, fmt::format("{}: {}", during, take_library_error()));
}

}  // namespace relayd::net
