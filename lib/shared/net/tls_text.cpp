#include "shared/net/tls_text.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/base64.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace relayd::net {

namespace {

constexpr std::size_t names_shown = 200;  // octets

std::string take_text(BIO* memory) {
  const std::uint8_t* bytes = nullptr;
  std::size_t size = 0;
  BIO_mem_contents(memory, &bytes, &size);
  std::string text(reinterpret_cast<const char*>(bytes), size);
  BIO_free(memory);
  return text;
}

std::string date_text(const ASN1_TIME* time) {
  BIO* memory = BIO_new(BIO_s_mem());
  ASN1_TIME_print(memory, time);
  return take_text(memory);
}

std::string name_text(X509_NAME* name) {
  BIO* memory = BIO_new(BIO_s_mem());
  X509_NAME_print_ex(memory, name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
  return take_text(memory);
}

std::string alternative_text(const GENERAL_NAME* name) {
  const ASN1_STRING* value = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
  const auto* bytes = ASN1_STRING_get0_data(value);
  const auto size = static_cast<std::size_t>(ASN1_STRING_length(value));
  std::string text;
  if (name->type == GEN_IPADD && (size == 4 || size == 16)) {
    char address[INET6_ADDRSTRLEN];
    return inet_ntop(size == 4 ? AF_INET : AF_INET6, bytes, address, sizeof address);
  }
  for (std::size_t i = 0; i < size; ++i)
    text += bytes[i] > ' ' && bytes[i] < 0x7f ? static_cast<char>(bytes[i]) : '?';
  return text;
}

// The names that a client may know the server by.
std::string names_text(X509* leaf) {
  std::string names;
  auto* list = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr));
  for (std::size_t i = 0; list && i < sk_GENERAL_NAME_num(list) && names.size() < names_shown; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(list, i);
    if (name->type != GEN_DNS && name->type != GEN_IPADD) continue;
    names += (names.empty() ? "" : ", ") + alternative_text(name);
  }
  GENERAL_NAMES_free(list);
  return names.empty() ? "no host name at all" : names;
}

// "the certificate", or which of the chain.
std::string which(X509_STORE_CTX* failed) {
  if (X509_STORE_CTX_get_error_depth(failed) == 0) return "the certificate";
  return fmt::format("the authority's certificate ({})",
                     subject_text(X509_STORE_CTX_get_current_cert(failed)));
}

// The server's chain ends in somebody whom we do not know.
std::string unknown_issuer(X509_STORE_CTX* failed) {
  X509* last = X509_STORE_CTX_get_current_cert(failed);
  const std::string issuer = name_text(X509_get_issuer_name(last));
  if (X509_STORE_CTX_get_error_depth(failed) == 0)
    return fmt::format(
        "the server shows only its own certificate, issued by {}, which is unknown here: either the server's "
        "chain is incomplete (its intermediate certificate is missing there), or it is a private CA, to be "
        "put "
        "into tls_options.ca_file",
        issuer);
  return fmt::format(
      "the certificate comes from an unknown CA ({}): put it into tls_options.ca_file if you "
      "trust it",
      issuer);
}

std::string alert_text(int alert, const async::TlsPolicy& policy, bool certificate_asked) {
  const bool shown = certificate_asked && !policy.client_certificate.empty();
  switch (alert) {
    case SSL_AD_PROTOCOL_VERSION:
      return fmt::format(
          "no common TLS version: the server refuses {}",
          policy.tls1_3_only ? "TLS 1.3, and tls_options.min_version allows no other" : "TLS 1.2 and 1.3");
    case SSL_AD_UNRECOGNIZED_NAME:
      return fmt::format("the server has no certificate for {}: correct `host`, or set tls_options.name",
                         policy.name);
    case SSL_AD_CERTIFICATE_REQUIRED:
    case SSL_AD_HANDSHAKE_FAILURE:
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_DECRYPT_ERROR:
      if (shown)
        return fmt::format("the server refuses our client certificate {} (alert \"{}\")",
                           policy.client_certificate, SSL_alert_desc_string_long(alert));
      if (certificate_asked || alert == SSL_AD_CERTIFICATE_REQUIRED)
        return "the server demands a client certificate: set tls_options.client_certificate and client_key";
      break;
    default:
      break;
  }
  return fmt::format("the server refuses the TLS handshake (alert \"{}\")",
                     SSL_alert_desc_string_long(alert));
}

}  // namespace

bool is_ip_literal(const std::string& name) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, name.c_str(), bytes) == 1 || inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

std::string take_library_error() {
  const std::uint32_t error = ERR_get_error();
  ERR_clear_error();
  if (error == 0) return "the peer closed the connection";
  const char* reason = ERR_reason_error_string(error);
  return reason ? reason : "unknown error";
}

std::string take_client_error(const async::TlsPolicy& policy, bool certificate_asked) {
  const std::uint32_t error = ERR_peek_error();
  const int reason = ERR_GET_REASON(error);
  const bool ours = ERR_GET_LIB(error) == ERR_LIB_SSL;
  const std::string plain = take_library_error();
  if (ours && reason > SSL_AD_REASON_OFFSET)
    return alert_text(reason - SSL_AD_REASON_OFFSET, policy, certificate_asked);
  if (ours && reason == SSL_R_UNSUPPORTED_PROTOCOL)
    return fmt::format("no common TLS version: the server offers less than TLS {}",
                       policy.tls1_3_only ? "1.3, which tls_options.min_version demands" : "1.2");
  if (ours && (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST))
    return "the server answers, but not in TLS: does this port want `tls: starttls`?";
  return "the TLS connection failed: " + plain;
}

std::string subject_text(X509* certificate) {
  return name_text(X509_get_subject_name(certificate));
}

std::string certificate_problem(X509_STORE_CTX* failed, const async::TlsPolicy& policy) {
  X509* certificate = X509_STORE_CTX_get_current_cert(failed);
  const int verdict = X509_STORE_CTX_get_error(failed);
  switch (certificate ? verdict : X509_V_OK) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
      return fmt::format("the certificate is for {}, not for {}: correct `host`, or set tls_options.name",
                         names_text(certificate), policy.name);
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return fmt::format(
          "the certificate is for {}, not for the address {}: use the host's name, or set "
          "tls_options.name",
          names_text(certificate), policy.name);
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return fmt::format("{} expired on {}", which(failed), date_text(X509_get0_notAfter(certificate)));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return fmt::format("{} is not valid before {}: is this machine's clock right?", which(failed),
                         date_text(X509_get0_notBefore(certificate)));
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return "the certificate is self-signed: put it into tls_options.ca_file if you trust it";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return unknown_issuer(failed);
    case X509_V_ERR_INVALID_PURPOSE:
      return fmt::format("{} is not made for a server (extended key usage)", which(failed));
    default:
      return fmt::format("the certificate was refused: {}", X509_verify_cert_error_string(verdict));
  }
}

std::string pin_problem(const std::string& seen) {
  std::string encoded(4 * ((seen.size() + 2) / 3) + 1, '\0');
  encoded.resize(EVP_EncodeBlock(reinterpret_cast<std::uint8_t*>(encoded.data()),
                                 reinterpret_cast<const std::uint8_t*>(seen.data()), seen.size()));
  return fmt::format("the server's key is none of tls_options.pin_sha256; its pin is {}", encoded);
}

}  // namespace relayd::net
