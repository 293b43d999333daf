#include "shared/crypto/signing_key.hpp"

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/bytestring.h>
#include <openssl/curve25519.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>

#include <optional>
#include <stdexcept>
#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/base/base64.hpp"

namespace relayd::crypto {

namespace {

constexpr std::size_t seed_size = 32;
constexpr std::size_t pem_line = 64;  // RFC 7468 2

// What only a lack of memory or of random numbers can cause.
void demand(bool done, const char* what) {
  if (!done) throw std::runtime_error(what);
}

const std::uint8_t* bytes(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

std::string_view view(const std::uint8_t* octets, std::size_t size) {
  return {reinterpret_cast<const char*>(octets), size};
}

// Nothing when it is no base64. White space may stand anywhere.
std::optional<Secret> from_base64(std::string_view text) {
  std::string digits;
  digits.reserve(text.size());
  for (const char c : text)
    if (!ascii::is_white_space(c)) digits += c;
  std::optional<std::string> octets = base64::decode(digits);
  wipe(digits);
  if (!octets) return std::nullopt;
  return Secret(*std::move(octets));
}

// --- PEM (RFC 7468) ---------------------------------------------------------------------------------------

struct Block {
  std::string_view label;  // "PRIVATE KEY"
  std::string_view body;
};

// Takes the next block off the text; nothing when there is none. One without its end has no label.
std::optional<Block> take_block(std::string_view& text) {
  constexpr std::string_view begin = "-----BEGIN ";
  constexpr std::string_view dashes = "-----";
  const std::size_t start = text.find(begin);
  if (start == text.npos) return std::nullopt;
  text.remove_prefix(start + begin.size());
  Block block;
  const std::size_t label = text.substr(0, text.find('\n')).find(dashes);
  if (label == text.npos) return block;
  const std::string end = fmt::format("-----END {}-----", text.substr(0, label));
  const std::size_t body = label + dashes.size();
  const std::size_t body_end = text.find(end, body);
  if (body_end == text.npos) return block;
  block = {text.substr(0, label), text.substr(body, body_end - body)};
  text.remove_prefix(body_end + end.size());
  return block;
}

constexpr std::string_view make_another = "make one with 'relayd dkim keygen'";

// Why a block cannot be used, by its label alone; empty when it may.
std::string refusal(const Block& block) {
  const std::string_view label = block.label;
  if (label.empty()) return "its PEM block has no end: the file is truncated";
  if (label == "ENCRYPTED PRIVATE KEY" || block.body.find("ENCRYPTED") != block.body.npos)
    return "the key is encrypted with a passphrase: decrypt it with 'openssl pkey -in FILE -out PLAIN'";
  if (label == "OPENSSH PRIVATE KEY")
    return fmt::format("this is a key of OpenSSH, not one of PEM: {}", make_another);
  if (label == "EC PRIVATE KEY" || label == "EC PARAMETERS")
    return fmt::format("DKIM has no signatures with an EC key, only RSA and Ed25519: {}", make_another);
  if (label == "PUBLIC KEY" || label == "RSA PUBLIC KEY")
    return "this is the public key: the private one signs";
  if (label == "CERTIFICATE") return "this is a certificate: the private key signs";
  if (label != "PRIVATE KEY" && label != "RSA PRIVATE KEY")
    return fmt::format("it is no private key of RSA or Ed25519: {}", make_another);
  return {};
}

// The one block of a file.
Result<Block> only_block(std::string_view text) {
  std::optional<Block> block = take_block(text);
  if (!block) return Error{"it has no private key in PEM ('-----BEGIN PRIVATE KEY-----')"};
  if (const std::string reason = refusal(*block); !reason.empty()) return Error{reason};
  if (take_block(text)) return Error{"it has more than one PEM block: one key a file"};
  return *block;
}

std::string to_pem(std::string_view der) {
  std::string digits = base64::encode(der);
  std::string text = "-----BEGIN PRIVATE KEY-----\n";
  text.reserve(digits.size() + digits.size() / pem_line + 64);  // all of it, so that nothing is left behind
  for (std::size_t at = 0; at < digits.size(); at += pem_line) text.append(digits, at, pem_line).append("\n");
  text += "-----END PRIVATE KEY-----\n";
  wipe(digits);
  return text;
}

// The DER that `marshal` writes of a key.
std::string der_of(int (*marshal)(CBB*, const EVP_PKEY*), const EVP_PKEY* key) {
  bssl::ScopedCBB writer;
  std::uint8_t* octets = nullptr;
  std::size_t size = 0;
  demand(CBB_init(writer.get(), 0) == 1 && marshal(writer.get(), key) == 1 &&
             CBB_finish(writer.get(), &octets, &size) == 1,
         "a key cannot be written");
  std::string der(view(octets, size));
  OPENSSL_free(octets);  // which overwrites them
  return der;
}

// --- keys -------------------------------------------------------------------------------------------------

using Key = bssl::UniquePtr<EVP_PKEY>;

Key of_pkcs8(std::string_view der) {
  CBS reader;
  CBS_init(&reader, bytes(der), der.size());
  Key key(EVP_parse_private_key(&reader));
  return CBS_len(&reader) == 0 ? std::move(key) : nullptr;
}

Key of_pkcs1(std::string_view der) {
  bssl::UniquePtr<RSA> rsa(RSA_private_key_from_bytes(bytes(der), der.size()));
  Key key(EVP_PKEY_new());
  if (!rsa || !key || EVP_PKEY_set1_RSA(key.get(), rsa.get()) != 1) return nullptr;
  return key;
}

// Why a key that can be read is not taken; empty when it is.
std::string refusal(const EVP_PKEY* key) {
  const int id = EVP_PKEY_id(key);
  if (id == EVP_PKEY_ED25519) return {};
  if (id != EVP_PKEY_RSA)
    return fmt::format("DKIM signs with RSA and Ed25519 alone, and this key is neither: {}", make_another);
  const RSA* rsa = EVP_PKEY_get0_RSA(key);
  const unsigned bits = RSA_bits(rsa);
  if (bits < SigningKey::least_bits)
    return fmt::format("an RSA key of {} bits is too short, {} are the least: {}", bits,
                       SigningKey::least_bits, make_another);
  if (bits > SigningKey::most_bits)
    return fmt::format("an RSA key of {} bits is longer than verifiers need to take, {} are the most: {}",
                       bits, SigningKey::most_bits, make_another);
  if (RSA_check_key(rsa) != 1) return fmt::format("the numbers of the RSA key do not fit: {}", make_another);
  return {};
}

}  // namespace

struct SigningKey::Handle {
  Key key;
};

SigningKey::SigningKey(std::unique_ptr<Handle> handle, Type type) : handle_(std::move(handle)), type_(type) {}

SigningKey::~SigningKey() = default;

Result<std::shared_ptr<const SigningKey>> SigningKey::parse(std::string_view text) {
  Key key;
  const std::optional<Secret> alone = from_base64(text);
  if (alone && alone->reveal().size() == seed_size) {
    key.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, bytes(alone->reveal()), seed_size));
  } else {
    const Result<Block> block = only_block(text);
    if (!block) return Error{block.error()};
    const std::optional<Secret> der = from_base64(block->body);
    if (!der) return Error{"what stands in its PEM block is no base64: the file is damaged"};
    key = block->label == "PRIVATE KEY" ? of_pkcs8(der->reveal()) : of_pkcs1(der->reveal());
  }
  ERR_clear_error();
  if (!key) return Error{"what stands in its PEM block is no key of RSA or Ed25519, or it is damaged"};
  const std::string reason = refusal(key.get());
  ERR_clear_error();
  if (!reason.empty()) return Error{reason};
  const Type type = EVP_PKEY_id(key.get()) == EVP_PKEY_RSA ? Type::rsa : Type::ed25519;
  auto handle = std::make_unique<Handle>(Handle{std::move(key)});
  return std::shared_ptr<const SigningKey>(new SigningKey(std::move(handle), type));
}

Secret SigningKey::generate(Type type) {
  Key key(EVP_PKEY_new());
  if (type == Type::rsa) {
    bssl::UniquePtr<RSA> rsa(RSA_new());
    bssl::UniquePtr<BIGNUM> exponent(BN_new());
    demand(key && rsa && exponent && BN_set_word(exponent.get(), RSA_F4) == 1 &&
               RSA_generate_key_ex(rsa.get(), least_bits, exponent.get(), nullptr) == 1 &&
               EVP_PKEY_set1_RSA(key.get(), rsa.get()) == 1,
           "an RSA key cannot be made");
  } else {
    std::uint8_t public_key[ED25519_PUBLIC_KEY_LEN];
    std::uint8_t private_key[ED25519_PRIVATE_KEY_LEN];  // the seed, then the public key
    ED25519_keypair(public_key, private_key);
    key.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, private_key, seed_size));
    OPENSSL_cleanse(private_key, sizeof private_key);
    demand(key != nullptr, "an Ed25519 key cannot be made");
  }
  std::string der = der_of(EVP_marshal_private_key, key.get());
  Secret pem(to_pem(der));
  wipe(der);
  return pem;
}

std::string SigningKey::sign(const Digest& digest) const {
  EVP_PKEY* key = handle_->key.get();
  if (type_ == Type::rsa) {
    std::string signature(static_cast<std::size_t>(EVP_PKEY_size(key)), '\0');
    unsigned size = 0;
    demand(RSA_sign(NID_sha256, digest.data(), static_cast<unsigned>(digest.size()),
                    reinterpret_cast<std::uint8_t*>(signature.data()), &size, EVP_PKEY_get0_RSA(key)) == 1,
           "RSA cannot sign");
    signature.resize(size);
    return signature;
  }
  std::string signature(ED25519_SIGNATURE_LEN, '\0');
  std::size_t size = signature.size();
  bssl::ScopedEVP_MD_CTX context;
  demand(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key) == 1 &&
             EVP_DigestSign(context.get(), reinterpret_cast<std::uint8_t*>(signature.data()), &size,
                            digest.data(), digest.size()) == 1,
         "Ed25519 cannot sign");
  return signature;
}

std::string SigningKey::sign_pss(const Digest& digest) const {
  constexpr int salt = 32;
  const RSA* const rsa = EVP_PKEY_get0_RSA(handle_->key.get());
  demand(rsa != nullptr, "PSS is of RSA");
  std::string signature(RSA_size(rsa), '\0');
  std::size_t size = 0;
  demand(RSA_sign_pss_mgf1(const_cast<RSA*>(rsa), &size, reinterpret_cast<std::uint8_t*>(signature.data()),
                           signature.size(), digest.data(), digest.size(), EVP_sha256(), EVP_sha256(),
                           salt) == 1,
         "RSA cannot sign");
  signature.resize(size);
  return signature;
}

std::string SigningKey::public_record_key() const {
  const EVP_PKEY* key = handle_->key.get();
  if (type_ == Type::rsa) return base64::encode(der_of(EVP_marshal_public_key, key));
  std::uint8_t octets[ED25519_PUBLIC_KEY_LEN];
  std::size_t size = sizeof octets;
  demand(EVP_PKEY_get_raw_public_key(key, octets, &size) == 1, "Ed25519 has a public key");
  return base64::encode(view(octets, size));
}

}  // namespace relayd::crypto
