#include "shared/crypto/sha256.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <new>

namespace relayd::crypto {

namespace {

static_assert(sizeof(SHA256_CTX) <= 112 && alignof(SHA256_CTX) <= 8, "the state has room for the library's");

SHA256_CTX* context(std::array<std::byte, 112>& state) {
  return std::launder(reinterpret_cast<SHA256_CTX*>(state.data()));
}

}  // namespace

Sha256::Sha256() {
  SHA256_Init(new (state_.data()) SHA256_CTX);
}

void Sha256::update(std::string_view octets) {
  SHA256_Update(context(state_), octets.data(), octets.size());
}

Digest Sha256::finish() {
  Digest digest;
  SHA256_Final(digest.data(), context(state_));
  return digest;
}

Digest hmac_sha256(std::string_view key, std::string_view octets) {
  Digest digest;
  unsigned size = 0;
  const void* const done =
      HMAC(EVP_sha256(), key.data(), key.size(), reinterpret_cast<const std::uint8_t*>(octets.data()),
           octets.size(), digest.data(), &size);
  if (done == nullptr || size != digest.size()) throw std::bad_alloc();
  return digest;
}

}  // namespace relayd::crypto
