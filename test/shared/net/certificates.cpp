#include "shared/net/certificates.hpp"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/ec_key.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace relayd::test {

namespace {

void require(bool done) {
  if (!done) throw std::runtime_error("cannot make a certificate");
}

EVP_PKEY* new_key(int rsa_bits) {
  EVP_PKEY* key = EVP_PKEY_new();
  if (rsa_bits == 0) {
    EC_KEY* pair = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    require(EC_KEY_generate_key(pair) == 1 && EVP_PKEY_assign_EC_KEY(key, pair) == 1);
    return key;
  }
  RSA* pair = RSA_new();
  BIGNUM* exponent = BN_new();
  BN_set_word(exponent, RSA_F4);
  require(RSA_generate_key_ex(pair, rsa_bits, exponent, nullptr) == 1 && EVP_PKEY_assign_RSA(key, pair) == 1);
  BN_free(exponent);
  return key;
}

void add_name(GENERAL_NAMES* names, int type, const std::string& octets) {
  ASN1_STRING* value = ASN1_STRING_type_new(type == GEN_DNS ? V_ASN1_IA5STRING : V_ASN1_OCTET_STRING);
  ASN1_STRING_set(value, octets.data(), static_cast<int>(octets.size()));
  GENERAL_NAME* name = GENERAL_NAME_new();
  GENERAL_NAME_set0_value(name, type, value);
  sk_GENERAL_NAME_push(names, name);
}

void add_names(X509* certificate, const CertificateShape& shape) {
  GENERAL_NAMES* names = GENERAL_NAMES_new();
  for (const std::string& name : shape.dns_names) add_name(names, GEN_DNS, name);
  if (!shape.address.empty()) {
    std::string octets(4, '\0');
    inet_pton(AF_INET, shape.address.c_str(), octets.data());
    add_name(names, GEN_IPADD, octets);
  }
  if (sk_GENERAL_NAME_num(names) > 0)
    require(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1);
  GENERAL_NAMES_free(names);
}

void add_extension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_nconf_nid(nullptr, &context, nid, value.c_str());
  require(extension && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

template <class Write>
std::string pem_of(Write write) {
  BIO* memory = BIO_new(BIO_s_mem());
  require(write(memory) == 1);
  const std::uint8_t* bytes = nullptr;
  std::size_t size = 0;
  BIO_mem_contents(memory, &bytes, &size);
  std::string text(reinterpret_cast<const char*>(bytes), size);
  BIO_free(memory);
  return text;
}

}  // namespace

Certificate::Certificate(const CertificateShape& shape, const Certificate* issuer)
    : key_(new_key(shape.rsa_bits), EVP_PKEY_free), certificate_(X509_new(), X509_free) {
  static std::uint64_t serial = 0;
  X509* made = certificate_.get();
  X509_set_version(made, X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(made), ++serial);
  ASN1_TIME_set(X509_getm_notBefore(made), std::chrono::system_clock::to_time_t(shape.from));
  ASN1_TIME_set(X509_getm_notAfter(made), std::chrono::system_clock::to_time_t(shape.until));
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const std::uint8_t*>(shape.common_name.c_str()), -1, -1, 0);
  X509_set_issuer_name(made, X509_get_subject_name(issuer ? issuer->certificate_.get() : made));
  require(X509_set_pubkey(made, key_.get()) == 1);
  add_extension(made, NID_basic_constraints, shape.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (!shape.authority) add_names(made, shape);
  if (!shape.authority) add_extension(made, NID_ext_key_usage, shape.usage);
  require(X509_sign(made, (issuer ? issuer->key_ : key_).get(), shape.digest) > 0);
}

std::string Certificate::pem() const {
  return pem_of([this](BIO* out) { return PEM_write_bio_X509(out, certificate_.get()); });
}

std::string Certificate::key_pem() const {
  return pem_of([this](BIO* out) {
    return PEM_write_bio_PKCS8PrivateKey(out, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
}

std::string Certificate::pin() const {
  std::uint8_t* encoded = nullptr;
  const int size = i2d_PUBKEY(key_.get(), &encoded);
  std::string pin(SHA256_DIGEST_LENGTH, '\0');
  SHA256(encoded, static_cast<std::size_t>(size), reinterpret_cast<std::uint8_t*>(pin.data()));
  OPENSSL_free(encoded);
  return pin;
}

}  // namespace relayd::test
