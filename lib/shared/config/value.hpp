// The text of single values: durations, sizes, numbers, addresses, names. Pure. Of others only
// the command line uses it, so that a duration is written there as in the file.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "shared/base/bytes.hpp"
#include "shared/base/result.hpp"
#include "shared/base/words.hpp"
#include "shared/config/config.hpp"

namespace relayd::config {

// What stands before the name that a client gave itself where any name will do, so that it is none of
// `accounts`.
inline constexpr std::string_view unverified_account = "unverified:";

// "250ms", "90s", "5m", "4h", "5d": more than nothing, at most ten years.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

// "1000" (octets), "64KiB", "50MiB", "1GiB", and the decimal "64KB", "50MB", "1GB".
Result<Bytes> parse_size(std::string_view text);

// 1 to `maximum`.
Result<std::uint32_t> parse_count(std::string_view text, std::uint32_t maximum = 1'000'000'000);

// 0 to the largest.
Result<std::uint32_t> parse_number(std::string_view text);

// Where a listener waits: an IP literal with its port (0: the kernel chooses), a path, or a socket that the
// service manager has opened.
struct Endpoint {
  std::string host = {};  // without brackets; empty for the others
  std::uint16_t port = 0;
  std::string unix_path = {};
  std::string inherited = {};
};
// "127.0.0.1:25", "[::1]:25", "unix:/run/relayd/smtp.sock", "fd:smtp".
Result<Endpoint> parse_endpoint(std::string_view text);

// The host of an upstream: a name, or an IP literal with or without brackets, which are dropped.
Result<std::string> parse_host(std::string_view text);

constexpr auto words_of(AccessVerdict) {
  return std::to_array<Word<AccessVerdict>>({{"accept", AccessVerdict::accept},
                                             {"reject", AccessVerdict::reject},
                                             {"discard", AccessVerdict::discard},
                                             {"hold", AccessVerdict::hold}});
}

// A verdict as a table has it: one of the words above, in any case.
Result<AccessVerdict> parse_verdict(std::string_view text);

// A pattern of a sender rule: ADDRESS, @DOMAIN, @*.DOMAIN or *. Gives back its mail::lookup_key(), the form
// in which two patterns are the same.
Result<std::string> parse_pattern(std::string_view text);

// An address that mail can be sent to: one with a domain.
Result<std::string> parse_mailbox(std::string_view text);
// The same of ASCII, for mail that needs no SMTPUTF8.
Result<std::string> parse_ascii_mailbox(std::string_view text);

// The answer that a rule gives instead of an upstream, "550 5.7.1 Not from here": printable, code 4xx or 5xx.
Result<std::string> parse_reject(std::string_view text);

// The domain of a signing key, as DNS has it (A-labels), and a selector (RFC 6376 3.1). Both in lower case.
Result<std::string> parse_signing_domain(std::string_view text);
Result<std::string> parse_selector(std::string_view text);

// Labels of letters, digits, - and _, with dots between them (RFC 1123 2.1), or a domain in UTF-8 that IDNA
// allows.
bool is_domain(std::string_view text);

// A domain as hosts are asked for it: one beyond ASCII as A-labels, any other as it is.
std::string dns_spelling(std::string_view domain);
bool is_variable_name(std::string_view text);
bool has_control_character(std::string_view text);
bool is_loopback_host(std::string_view host);  // 127.0.0.0/8, ::1 or "localhost"
std::string lower_case(std::string_view text);

}  // namespace relayd::config
