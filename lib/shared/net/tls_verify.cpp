#include "shared/net/tls_verify.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/obj.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>

#include "shared/net/tls_text.hpp"

namespace relayd::net {

namespace {

constexpr std::size_t chain_limit = 10;  // certificates that a server may show
constexpr int rsa_bits_least = 2048;     // CA/Browser Forum Baseline Requirements 6.1.5

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)>;

// RFC 9525: names of the subjectAltName alone, a wildcard for the whole left-most label alone.
void demand_name(X509_VERIFY_PARAM* parameters, const std::string& name) {
  X509_VERIFY_PARAM_set_hostflags(parameters,
                                  X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (is_ip_literal(name))
    X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str());
  else
    X509_VERIFY_PARAM_set1_host(parameters, name.data(), name.size());
}

// The library still takes what nobody should sign with any more. An anchor's own signature proves nothing and
// is not looked at.
std::string weakness(X509_STORE_CTX* context) {
  const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(context);
  for (std::size_t i = 0; i < sk_X509_num(chain); ++i) {
    X509* certificate = sk_X509_value(chain, i);
    const Key key(X509_get_pubkey(certificate), EVP_PKEY_free);
    if (key && EVP_PKEY_id(key.get()) == EVP_PKEY_RSA && EVP_PKEY_bits(key.get()) < rsa_bits_least)
      return fmt::format("the key of {} is too short: RSA with {} bits, {} are the least",
                         subject_text(certificate), EVP_PKEY_bits(key.get()), rsa_bits_least);
    int digest = NID_undef;
    OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &digest, nullptr);
    const bool anchor = i + 1 == sk_X509_num(chain);
    if (!anchor && (digest == NID_sha1 || digest == NID_md5))
      return fmt::format("{} is signed with {}, which can be forged", subject_text(certificate),
                         OBJ_nid2sn(digest));
  }
  return {};
}

CertificateProblem verify_chain(SSL* ssl, STACK_OF(X509) * chain, const async::TlsPolicy& policy) {
  if (sk_X509_num(chain) > chain_limit)
    return {fmt::format("the server's certificate chain is too long: {} certificates, {} are followed",
                        sk_X509_num(chain), chain_limit),
            SSL_AD_BAD_CERTIFICATE};
  const StoreContext context(X509_STORE_CTX_new(), X509_STORE_CTX_free);
  X509_STORE* trusted = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl));
  if (!context || X509_STORE_CTX_init(context.get(), trusted, sk_X509_value(chain, 0), chain) != 1)
    return {"the certificate cannot be verified: out of memory", SSL_AD_INTERNAL_ERROR};
  X509_STORE_CTX_set_default(context.get(), "ssl_server");
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  demand_name(parameters, policy.name);
  if (X509_verify_cert(context.get()) != 1) {
    const int verdict = X509_STORE_CTX_get_error(context.get());
    return {certificate_problem(context.get(), policy),
            static_cast<std::uint8_t>(SSL_alert_from_verify_result(verdict))};
  }
  return {weakness(context.get()), SSL_AD_BAD_CERTIFICATE};
}

// SHA-256 of the leaf's SubjectPublicKeyInfo.
std::string pin_of(X509* leaf) {
  std::uint8_t* encoded = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &encoded);
  if (size <= 0) return {};
  std::string pin(SHA256_DIGEST_LENGTH, '\0');
  SHA256(encoded, static_cast<std::size_t>(size), reinterpret_cast<std::uint8_t*>(pin.data()));
  OPENSSL_free(encoded);
  return pin;
}

CertificateProblem check_pin(X509* leaf, const async::TlsPolicy& policy) {
  const std::string seen = pin_of(leaf);
  if (policy.pins.empty() || std::ranges::find(policy.pins, seen) != policy.pins.end()) return {};
  return {pin_problem(seen), SSL_AD_CERTIFICATE_UNKNOWN};
}

}  // namespace

CertificateProblem verify_peer(SSL* ssl, const async::TlsPolicy& policy) {
  STACK_OF(X509)* chain = SSL_get_peer_full_cert_chain(ssl);
  if (!chain || sk_X509_num(chain) == 0)
    return {"the server showed no certificate", SSL_AD_CERTIFICATE_UNKNOWN};
  CertificateProblem problem;
  if (policy.verify) problem = verify_chain(ssl, chain, policy);
  if (problem.text.empty()) problem = check_pin(sk_X509_value(chain, 0), policy);
  return problem;
}

}  // namespace relayd::net
