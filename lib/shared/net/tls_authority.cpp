#include "shared/net/tls_authority.hpp"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace relayd::net {

namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

void require(bool done) {
  if (!done) throw std::runtime_error("cannot make a throw-away certificate");
}

Key new_key() {
  std::unique_ptr<EC_KEY, decltype(&EC_KEY_free)> pair(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1),
                                                       EC_KEY_free);
  require(pair && EC_KEY_generate_key(pair.get()) == 1);
  Key key(EVP_PKEY_new(), EVP_PKEY_free);
  require(EVP_PKEY_set1_EC_KEY(key.get(), pair.get()) == 1);
  return key;
}

Certificate new_certificate(const std::string& common_name, EVP_PKEY* key, WallTime from, WallTime until) {
  Certificate made(X509_new(), X509_free);
  X509_set_version(made.get(), X509_VERSION_3);
  std::uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<std::uint8_t*>(&serial), sizeof serial);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(made.get()), serial >> 1);
  ASN1_TIME_set(X509_getm_notBefore(made.get()), std::chrono::system_clock::to_time_t(from));
  ASN1_TIME_set(X509_getm_notAfter(made.get()), std::chrono::system_clock::to_time_t(until));
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const std::uint8_t*>(common_name.data()),
                             static_cast<int>(common_name.size()), -1, 0);
  require(X509_set_pubkey(made.get(), key) == 1);
  return made;
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> made(
      X509V3_EXT_nconf_nid(nullptr, &context, nid, value.c_str()), X509_EXTENSION_free);
  require(made && X509_add_ext(certificate, made.get(), -1) == 1);
}

template <class Write>
std::string pem(Write write) {
  std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
  require(write(memory.get()) == 1);
  const std::uint8_t* bytes = nullptr;
  std::size_t size = 0;
  BIO_mem_contents(memory.get(), &bytes, &size);
  return {reinterpret_cast<const char*>(bytes), size};
}

bool is_ip(const std::string& name) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, name.c_str(), bytes) == 1 || inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

}  // namespace

struct Authority::Implementation {
  Key key = new_key();
  Certificate certificate{nullptr, X509_free};
};

Authority::Authority(const std::string& common_name) : implementation_(std::make_unique<Implementation>()) {
  const WallTime now = wall_now();
  Implementation& self = *implementation_;
  self.certificate =
      new_certificate(common_name, self.key.get(), now - std::chrono::days(1), now + std::chrono::days(3650));
  X509* own = self.certificate.get();
  X509_set_issuer_name(own, X509_get_subject_name(own));
  add_extension(own, own, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(own, own, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(own, own, NID_subject_key_identifier, "hash");
  require(X509_sign(own, self.key.get(), EVP_sha256()) > 0);
}

Authority::~Authority() = default;

std::string Authority::certificate() const {
  return pem([this](BIO* out) { return PEM_write_bio_X509(out, implementation_->certificate.get()); });
}

Authority::Issued Authority::issue(const std::vector<std::string>& names, WallTime from,
                                   WallTime until) const {
  const Implementation& self = *implementation_;
  const Key key = new_key();
  const Certificate leaf = new_certificate(names.front(), key.get(), from, until);
  X509_set_issuer_name(leaf.get(), X509_get_subject_name(self.certificate.get()));
  std::string alternatives;
  for (const std::string& name : names)
    alternatives += (alternatives.empty() ? "" : ",") + std::string(is_ip(name) ? "IP:" : "DNS:") + name;
  add_extension(leaf.get(), self.certificate.get(), NID_subject_alt_name, alternatives);
  add_extension(leaf.get(), self.certificate.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(leaf.get(), self.certificate.get(), NID_ext_key_usage, "serverAuth");
  require(X509_sign(leaf.get(), self.key.get(), EVP_sha256()) > 0);
  return {pem([&](BIO* out) { return PEM_write_bio_X509(out, leaf.get()); }), pem([&](BIO* out) {
            return PEM_write_bio_PKCS8PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

}  // namespace relayd::net
