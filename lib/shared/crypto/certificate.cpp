#include "shared/crypto/certificate.hpp"

#include <openssl/bio.h>
#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "shared/base/base64.hpp"

namespace relayd::crypto {

namespace {

std::string take(std::uint8_t* octets, std::size_t size) {
  std::string der(reinterpret_cast<const char*>(octets), size);
  OPENSSL_free(octets);
  return der;
}

}  // namespace

Result<Certificate> Certificate::parse(std::string_view pem) {
  const bssl::UniquePtr<BIO> input(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const bssl::UniquePtr<X509> x509(PEM_read_bio_X509(input.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!x509) return Error{"it has no certificate in PEM ('-----BEGIN CERTIFICATE-----')"};
  std::uint8_t* octets = nullptr;
  const int size = i2d_X509(x509.get(), &octets);
  if (size <= 0) return Error{"its certificate cannot be read"};
  Sha256 digest;
  digest.update(take(octets, static_cast<std::size_t>(size)));

  const bssl::UniquePtr<EVP_PKEY> key(X509_get_pubkey(x509.get()));
  bssl::ScopedCBB writer;
  std::size_t key_size = 0;
  const bool written = key && CBB_init(writer.get(), 0) == 1 &&
                       EVP_marshal_public_key(writer.get(), key.get()) == 1 &&
                       CBB_finish(writer.get(), &octets, &key_size) == 1;
  ERR_clear_error();
  if (!written) return Error{"the key of its certificate is of a kind that is not known here"};
  return Certificate{digest.finish(), base64::encode(take(octets, key_size))};
}

}  // namespace relayd::crypto
