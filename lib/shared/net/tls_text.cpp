#include "shared/net/tls_text.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace relayd::net {

namespace {

std::string take_text(BIO* memory) {
  const std::uint8_t* bytes = nullptr;
  std::size_t size = 0;
  BIO_mem_contents(memory, &bytes, &size);
  std::string text(reinterpret_cast<const char*>(bytes), size);
  BIO_free(memory);
  return text;
}

std::string dns_names(X509* leaf) {
  std::string names;
  auto* list = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr));
  for (std::size_t i = 0; list && i < sk_GENERAL_NAME_num(list) && names.size() < 200; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(list, i);
    if (name->type != GEN_DNS) continue;
    if (!names.empty()) names += ", ";
    for (int k = 0; k < ASN1_STRING_length(name->d.dNSName); ++k) {
      const char c = static_cast<char>(ASN1_STRING_get0_data(name->d.dNSName)[k]);
      names += c > ' ' && c < '\x7f' ? c : '?';
    }
  }
  GENERAL_NAMES_free(list);
  return names.empty() ? "no host name at all" : names;
}

std::string date_text(const ASN1_TIME* time) {
  BIO* memory = BIO_new(BIO_s_mem());
  ASN1_TIME_print(memory, time);
  return take_text(memory);
}

std::string issuer(X509* leaf) {
  BIO* memory = BIO_new(BIO_s_mem());
  X509_NAME_print_ex(memory, X509_get_issuer_name(leaf), 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
  return take_text(memory);
}

}  // namespace

std::string take_library_error() {
  const std::uint32_t error = ERR_get_error();
  ERR_clear_error();
  if (error == 0) return "the peer closed the connection";
  const char* reason = ERR_reason_error_string(error);
  return reason ? reason : "unknown error";
}

X509* peer_leaf(const SSL* ssl) {
  const STACK_OF(X509)* chain = SSL_get_peer_full_cert_chain(ssl);
  return chain && sk_X509_num(chain) > 0 ? sk_X509_value(chain, 0) : nullptr;
}

std::string certificate_problem(long verdict, X509* leaf, const async::TlsPolicy& policy) {
  if (!leaf) return fmt::format("the certificate was refused: {}", X509_verify_cert_error_string(verdict));
  switch (verdict) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
      return fmt::format("the certificate is for {}, not for {}: correct `host`, or set tls_options.name",
                         dns_names(leaf), policy.name);
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return fmt::format(
          "the certificate does not name the address {}: use the host's name, or set tls_options.name",
          policy.name);
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return fmt::format("the certificate expired on {}", date_text(X509_get0_notAfter(leaf)));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return fmt::format("the certificate is not valid before {}: is this machine's clock right?",
                         date_text(X509_get0_notBefore(leaf)));
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return "the certificate is self-signed: put it into tls_options.ca_file if you trust it";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return fmt::format(
          "the certificate comes from an unknown CA ({}): set tls_options.ca_file, or the server lacks its "
          "intermediate certificate",
          issuer(leaf));
    default:
      return fmt::format("the certificate was refused: {}", X509_verify_cert_error_string(verdict));
  }
}

}  // namespace relayd::net
