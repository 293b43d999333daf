// SigningKey: a private key that signs SHA-256 digests, RSA or Ed25519, as DKIM needs it (RFC 6376 3.3, RFC
// 8463).
//
// Stands under rewrite, which signs headers with it, and under `relayd dkim keygen`, which makes one.
// Immutable; shared by all who sign; any thread may. It reads no file (see relay/signing_keys.hpp), knows no
// certificate and decrypts no key. The library overwrites the key when the last owner goes.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "shared/base/result.hpp"
#include "shared/base/secret.hpp"
#include "shared/crypto/sha256.hpp"

namespace relayd::crypto {

class SigningKey {
 public:
  enum class Type { rsa, ed25519 };

  // The fewest and most bits of an RSA key: RFC 8301 3.2 has 2048 for what signers should have, and 4096 for
  // what verifiers must be able to read.
  static constexpr unsigned least_bits = 2048;
  static constexpr unsigned most_bits = 4096;

  // From the text of a file: PKCS#8 (RFC 5208, 8410) or PKCS#1 in PEM, with any text before the block and
  // either kind of line end; or the 32 octets of an Ed25519 key in base64 alone. An error says what the text
  // is instead, and holds nothing of it.
  static Result<std::shared_ptr<const SigningKey>> parse(std::string_view text);

  // A fresh key as PKCS#8 in PEM, its lines ended by LF: RSA of 2048 bits, or Ed25519.
  static Secret generate(Type type);

  SigningKey(const SigningKey&) = delete;
  SigningKey& operator=(const SigningKey&) = delete;
  ~SigningKey();

  Type type() const { return type_; }

  // The signature as octets: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 8.2) of what has this digest, as long
  // as the key's modulus; or PureEdDSA over the 32 octets of the digest (RFC 8463 3), 64 octets. The same key
  // and digest have the same signature. Takes about a millisecond for RSA of 2048 bits.
  std::string sign(const Digest& digest) const;

  // RSASSA-PSS with SHA-256, MGF1 with it and a salt of 32 octets (RFC 8017 8.1), which JWT calls PS256 (RFC
  // 7518 3.5). Of an RSA key only. Each call has another signature.
  std::string sign_pss(const Digest& digest) const;

  // What the record's `p=` is, in base64: SubjectPublicKeyInfo of an RSA key (RFC 6376 3.6.1, erratum 3017),
  // or the 32 octets of an Ed25519 key (RFC 8463 4).
  std::string public_record_key() const;

 private:
  struct Handle;  // of the library
  explicit SigningKey(std::unique_ptr<Handle> handle, Type type);

  std::unique_ptr<Handle> handle_;
  Type type_;
};

}  // namespace relayd::crypto
