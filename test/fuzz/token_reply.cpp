#include <algorithm>

#include "fuzz/targets.hpp"
#include "shared/oauth/reply.hpp"
#include "shared/oauth/stored_token.hpp"
#include "shared/sasl/bearer.hpp"

namespace relayd::fuzz {

namespace {

bool is_plain(std::string_view text) {
  return text.size() <= 4 * 512 &&
         std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

void check(const oauth::Reply& reply) {
  if (const auto* const grant = std::get_if<oauth::Grant>(&reply)) {
    demand(sasl::is_token(grant->access_token.reveal()), "an access token fits on a line of SMTP");
    demand(grant->life >= std::chrono::seconds(0) && grant->life <= oauth::longest_life, "a life is bounded");
    demand(is_plain(grant->refresh_token.reveal().substr(0, 512)), "a refresh token is printable");
  } else {
    const auto& refusal = std::get<oauth::Refusal>(reply);
    for (const std::string* const text :
         {&refusal.error, &refusal.description, &refusal.trace_id, &refusal.correlation_id})
      demand(is_plain(*text), "what a server says is one bounded line");
  }
}

}  // namespace

void token_reply(std::string_view input) {
  constexpr WallTime now{std::chrono::seconds(1'790'000'000)};
  for (const int status : {200, 400, 429}) check(oauth::parse_reply({status, {}, std::string(input)}, now));
  check(oauth::parse_printed(input).reply);
  const Result<oauth::StoredToken> stored = oauth::parse_stored(input);
  if (!stored) return;
  const Result<oauth::StoredToken> again = oauth::parse_stored(oauth::write_stored(*stored).reveal());
  demand(again.ok() && again->refresh_token == stored->refresh_token && again->is_of(*stored),
         "what is written is read");
}

}  // namespace relayd::fuzz
