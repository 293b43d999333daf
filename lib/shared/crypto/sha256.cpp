#include "shared/crypto/sha256.hpp"

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

}  // namespace relayd::crypto
