#include <algorithm>
#include <vector>

#include "fake/dialogue.hpp"
#include "fake/token_message.hpp"
#include "fuzz/targets.hpp"
#include "providers/provider.hpp"
#include "shared/base/base64.hpp"
#include "shared/sasl/bearer.hpp"
#include "shared/smtp/reply.hpp"

namespace relayd::fuzz {

namespace {

using Next = fake::Dialogue::Next;

constexpr std::string_view password = "right", token = "T0KEN";

std::string_view take_word(std::string_view& input, char end) {
  const std::string_view word = input.substr(0, input.find(end));
  input.remove_prefix(std::min(input.size(), word.size() + 1));
  return word;
}

bool tells_secret(std::string_view line) {
  const std::string octets = base64::decode(line.substr(line.rfind(' ') + 1)).value_or("");
  return octets.find(password) != std::string::npos || octets.find(token) != std::string::npos;
}

void demand_whole(const fake::Dialogue::Answer& answer) {
  demand(!answer.text.empty() || answer.next == Next::nothing, "there is a reply, or an end");
  smtp::ReplyParser parser;
  const std::size_t size = parser.feed(answer.text);
  demand(answer.text.empty() ||
             (parser.state() == smtp::ReplyParser::State::complete && size == answer.text.size()),
         "an answer is one whole reply");
}

// A message of a client is read as one of ours says the same.
void read_again(sasl::Mechanism mechanism, std::string_view line) {
  const std::optional<fake::TokenMessage> read = fake::read_token_message(mechanism, line);
  if (!read) return;
  const Result<Secret> ours =
      sasl::bearer_message(mechanism, {read->username, Secret(read->token), "host.example", 587});
  if (!ours) return;
  const std::optional<fake::TokenMessage> again = fake::read_token_message(mechanism, ours->reveal());
  demand(again && again->username == read->username && again->token == read->token,
         "a token and its user are read as they are written");
}

}  // namespace

// A provider, a behaviour, and what the client says, each on a line.
void fake(std::string_view input) {
  const providers::Provider* const provider = providers::find(take_word(input, '\n'));
  if (!provider) return;
  const std::optional<fake::Behaviour> behaviour = fake::find_behaviour(*provider, take_word(input, '\n'));
  bool secret_told = false, encrypted = false;
  const bool needs_login = !(provider->is_preset() && provider->mechanisms.empty());
  const auto check = [&](const fake::Note& note) {
    demand(note.account.empty() || (secret_told && encrypted),
           "nobody logs in without the password or the token, nor in the clear");
    demand(note.account.empty() || route::may_be_username(*provider, note.account),
           "who logs in has a name that can be one there");
    if (!note.reply.starts_with("250")) return;
    demand(encrypted && !(needs_login && note.account.empty()), "only who has logged in sends");
    demand(!note.recipients.empty() &&
               note.recipients.size() <= provider->limits.recipients_per_message.value_or(10'000),
           "a message has recipients, and no more than go there");
    demand(!note.sender.empty() || provider->null_sender, "the null sender is taken only where it is there");
  };
  fake::Part part{.provider = *provider,
                  .host = "smtp.example.net",
                  .password = std::string(password),
                  .token = std::string(token),
                  .behaviour = behaviour,
                  .times = 1,
                  .on_note = check};
  fake::Dialogue dialogue(part, true);
  fake::Dialogue::Answer answer = dialogue.greet();
  demand_whole(answer);
  while (answer.next != Next::nothing && !input.empty()) {
    if (answer.next == Next::content) {
      const std::string_view content = input.substr(0, input.find("\n.\n"));
      input.remove_prefix(std::min(input.size(), content.size() + 3));
      answer = dialogue.take(content, content.size());
    } else {
      const std::string_view line = take_word(input, '\n');
      secret_told = secret_told || tells_secret(line);
      read_again(sasl::Mechanism::xoauth2, line);
      read_again(sasl::Mechanism::oauthbearer, line);
      answer = line.size() > 1000 ? dialogue.read_too_long() : dialogue.read(line);
    }
    demand_whole(answer);
    if (answer.next != Next::handshake) continue;
    dialogue.encrypted();
    encrypted = true;
    secret_told = false;
  }
}

}  // namespace relayd::fuzz
