#include "shared/sasl/scram.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <utility>

#include "shared/sasl/gsasl.hpp"
#include "shared/sasl/mechanism.hpp"
#include "shared/sasl/sasl.hpp"

namespace relayd::sasl {

namespace {

// RFC 7677 4 sets the floor; the cap bounds what a hostile server can make us compute.
constexpr unsigned iterations_floor = 4096;
constexpr unsigned iterations_cap = 600'000;
constexpr std::size_t salt_cap = 1024;
constexpr std::size_t key_size = 32;

// The text up to the separator, which then begins behind it.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return taken;
}

// All of `text` as a count that we accept.
Result<unsigned> parse_iterations(std::string_view text) {
  unsigned count = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, count);
  const bool large = failure == std::errc::result_out_of_range;
  if (rest != end || (failure != std::errc() && !large))
    return Error{"the SCRAM iteration count is not a number"};
  if (large || count < iterations_floor || count > iterations_cap)
    return Error{fmt::format("{} SCRAM iterations are asked for; {} to {} are accepted", text,
                             iterations_floor, iterations_cap)};
  return count;
}

}  // namespace

Result<bool> check_server_first(std::string_view message) {
  const std::string_view nonce = take_until(message, ',');
  const std::string_view salt = take_until(message, ',');
  const std::string_view iterations = take_until(message, ',');
  // An extension that must be understood comes first ("m=…"), and so does an error ("e=…"): RFC 5802 7.
  if (!nonce.starts_with("r=")) return Error{"the server's SCRAM message does not begin with a nonce"};
  const bool salted = salt.starts_with("s=") && salt.size() > 2 && salt.size() <= salt_cap;
  if (!salted) return Error{"the server's SCRAM message has no salt that we accept"};
  if (!iterations.starts_with("i=")) return Error{"the server's SCRAM message has no iteration count"};
  const Result<unsigned> count = parse_iterations(iterations.substr(2));
  if (!count) return Error{count.error()};
  return true;
}

Result<ScramSecret> parse_scram_secret(std::string_view text) {
  const Error wrong{"not of the form SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY"};
  if (find_mechanism(take_until(text, '$')) != Mechanism::scram_sha_256) return wrong;
  const Result<unsigned> iterations = parse_iterations(take_until(text, ':'));
  if (!iterations) return Error{iterations.error()};
  std::optional<std::string> salt = decode(take_until(text, '$'));
  std::optional<std::string> stored_key = decode(take_until(text, ':'));
  std::optional<std::string> server_key = decode(text);
  if (!salt || salt->empty() || !stored_key || !server_key) return wrong;
  if (stored_key->size() != key_size || server_key->size() != key_size) return wrong;
  return ScramSecret{*iterations, std::move(*salt), std::move(*stored_key), std::move(*server_key)};
}

Result<std::string> make_scram_secret(const Secret& password, unsigned iterations, std::string salt) {
  const Result<unsigned> accepted = parse_iterations(std::to_string(iterations));
  if (!accepted) return Error{accepted.error()};
  if (salt.empty()) salt = random_octets(16);
  const Result<ScramKeys> keys = derive(password.reveal(), salt, iterations);
  if (!keys) return Error{keys.error()};
  return fmt::format("SCRAM-SHA-256${}:{}${}:{}", iterations, encode(salt), encode(keys->stored_key),
                     encode(keys->server_key));
}

}  // namespace relayd::sasl
