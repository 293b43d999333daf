#include "send/login.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "shared/sasl/bearer.hpp"
#include "shared/sasl/sasl.hpp"

namespace relayd::send {

using async::IoError;
using async::Task;
using smtp::Reply;
using smtp::Trouble;

namespace {

constexpr int rounds = 10;

// RFC 4954 4. Whether the server hears of it changes nothing.
Task<void> cancel(Conversation& conversation) {
  try {
    co_await conversation.command("*\r\n", patience::login);
  } catch (const IoError&) {
    conversation.close();
  }
}

// One exchange of one mechanism, from the AUTH command to its end.
Task<std::optional<Event>> exchange(Conversation& conversation, async::Workers& workers, sasl::Client& client,
                                    std::string line) {
  Reply reply = co_await conversation.command(std::move(line), patience::login);
  for (int round = 0; reply.code == 334; ++round) {
    Result<std::string> response = Error{"the server goes on asking"};
    if (round < rounds) {
      if (client.needs_derivation())
        response = co_await workers.run([&client, &reply] { return client.step(reply.text); });
      else
        response = client.step(reply.text);
    }
    if (!response) {
      co_await cancel(conversation);
      co_return Event(conversation.stage, Trouble::no_mechanism, response.error());
    }
    reply = co_await conversation.command(*response + "\r\n", patience::login);
  }
  if (reply.code != 235) co_return Event(conversation.stage, std::move(reply));
  if (!client.complete())
    co_return Event(conversation.stage, Trouble::no_mechanism,
                    "the server said 235 before it proved that it knows the password");
  co_return std::nullopt;
}

Task<std::optional<Event>> try_mechanism(Conversation& conversation, async::Workers& workers,
                                         sasl::Mechanism mechanism, const sasl::Credential& credential,
                                         const std::optional<ChannelBinding>& binding) {
  sasl::Client client(mechanism, credential, binding);
  std::string line = "AUTH " + wire_name(mechanism);
  if (client.has_initial_response()) {
    const Result<std::string> initial = client.step("");
    if (!initial) co_return Event(conversation.stage, Trouble::no_mechanism, initial.error());
    line += " " + (initial->empty() ? "=" : *initial);  // RFC 4954 4
  }
  std::optional<Event> event = co_await exchange(conversation, workers, client, line + "\r\n");
  co_return event;
}

// The server offers the mechanism, and does not do it, or not for this account (RFC 4954 6).
bool refuses_mechanism(const Event& event) {
  return !event.trouble && (event.reply.code == 504 || event.reply.code == 534);
}

// Whether another password or token may fare better. Exchange Online says 501 5.5.127 to a token that ends
// soon.
bool refuses_secret(const Event& event, const BlamesPassword& blames) {
  if (event.trouble) return false;
  const Reply& reply = event.reply;
  const bool too_short = reply.code == 501 && reply.enhanced == smtp::EnhancedCode{5, 5, 127};
  return too_short || (reply.code == 535 && (!blames || blames(reply)));
}

// The server ended the connection, or is about to (RFC 5321 3.8).
bool hangs_up(const IoError& error) {
  return error.fault() == async::IoFault::closed || error.fault() == async::IoFault::reset;
}
bool hangs_up(const Event& event) {
  return !event.trouble && event.reply.code == 421;
}

// --- with a token ---

Event missing(const Conversation& conversation, const NoToken& why) {
  Event event(conversation.stage, why.temporary ? Trouble::no_token : Trouble::no_password, why.text);
  // What an operator has to mend may be mended at any moment: the keeper asks nobody in vain meanwhile.
  if (why.temporary) event.wait = why.wait.value_or(std::chrono::seconds(0));
  return event;
}

// What the server asks after the token is its refusal (RFC 7628 3.2.3), whose words go to the reply that
// follows.
Task<Reply> hear_refusal(Conversation& conversation, sasl::Mechanism mechanism, const Reply& challenge) {
  std::string answer = fmt::format("{}\r\n", sasl::bearer_dismissal(mechanism));
  Reply reply = co_await conversation.command(std::move(answer), patience::login);
  if (reply.positive() || reply.intermediate())
    throw IoError(async::IoFault::protocol,
                  fmt::format("the server said {} after it had refused the token", reply.code));
  if (const std::string refusal = sasl::bearer_refusal(challenge.text); !refusal.empty())
    reply.text += "\n" + refusal;
  co_return reply;
}

Task<std::optional<Event>> offer_token(Conversation& conversation, sasl::Mechanism mechanism,
                                       const sasl::Bearer& bearer) {
  const Result<Secret> message = sasl::bearer_message(mechanism, bearer);
  if (!message) co_return Event(conversation.stage, Trouble::no_password, message.error());
  std::string line = fmt::format("AUTH {}\r\n", wire_name(mechanism));
  Reply reply = co_await conversation.command(std::move(line), patience::login);
  if (reply.positive()) throw IoError(async::IoFault::protocol, "the server let us in without a token");
  if (reply.code != 334) co_return Event(conversation.stage, std::move(reply));
  const Secret response(std::string(message->reveal()) + "\r\n");
  co_await conversation.write(response.reveal(), patience::login);
  reply = co_await conversation.read_reply(patience::login);
  if (reply.code == 334) {
    const Reply challenge = std::move(reply);
    reply = co_await hear_refusal(conversation, mechanism, challenge);
  }
  if (reply.code == 235) co_return std::nullopt;
  co_return Event(conversation.stage, std::move(reply));
}

// --- one password or token after the other ---

// Fetches what is not there yet. An event: it cannot be had.
Task<std::optional<Event>> provide(const Conversation& conversation, const FetchCredential& fetch,
                                   Login& login) {
  if (!login.credential) {
    Result<Credential> credential = co_await fetch();
    if (!credential) co_return Event(conversation.stage, Trouble::no_password, credential.error());
    login.credential = std::move(*credential);
  }
  Tokens* const tokens = login.credential->tokens;
  if (!tokens || login.token) co_return std::nullopt;
  Tokens::Answer answer = co_await tokens->token(login.credential->username, std::nullopt);
  if (!answer.token) co_return missing(conversation, answer.why);
  login.token = std::move(answer.token);
  co_return std::nullopt;
}

// Goes on to the one after that which was refused. False: there is none.
Task<bool> take_next(Login& login) {
  const Credential& credential = *login.credential;
  if (!credential.tokens) {
    if (login.password + 1 >= credential.passwords.size()) co_return false;
    ++login.password;
    co_return true;
  }
  if (std::exchange(login.token_renewed, true)) co_return false;
  const std::optional<std::uint64_t> refused = login.token->serial;
  Tokens::Answer answer = co_await credential.tokens->token(credential.username, refused);
  if (!answer.token || answer.token->serial == refused) co_return false;
  login.token = std::move(answer.token);
  co_return true;
}

// Tries what is next; where the one before was refused on this connection, the server may have had enough.
Task<std::optional<Event>> try_secret(Conversation& conversation, async::Workers& workers,
                                      sasl::Mechanism mechanism, const LoginTerms& terms, Login& login,
                                      const std::optional<ChannelBinding>& binding,
                                      const std::optional<Event>& refusal) {
  const Credential& credential = *login.credential;
  std::optional<Event> event;
  try {
    if (credential.tokens) {
      const sasl::Bearer bearer{credential.username, login.token->text, terms.host, terms.port};
      event = co_await offer_token(conversation, mechanism, bearer);
    } else {
      const sasl::Credential attempt{credential.username, credential.passwords[login.password].secret};
      event = co_await try_mechanism(conversation, workers, mechanism, attempt, binding);
    }
  } catch (const IoError& error) {
    if (!refusal || !hangs_up(error)) throw;
    login.hung_up = true;
  }
  login.hung_up |= refusal && event && hangs_up(*event);
  co_return login.hung_up ? refusal : event;
}

}  // namespace

Task<std::optional<Event>> log_in(Conversation& conversation, async::Workers& workers,
                                  const LoginTerms& terms, const FetchCredential& fetch, Login& login) {
  conversation.stage = smtp::Stage::auth;
  login.hung_up = false;
  const bool by_token = std::ranges::any_of(terms.mechanisms, sasl::takes_token);
  if (!conversation.tls().verified && !terms.clear_password_allowed)
    co_return Event(conversation.stage, Trouble::tls,
                    fmt::format("the {} is sent over verified TLS only", by_token ? "token" : "password"));
  const std::optional<ChannelBinding> binding = conversation.stream().channel_binding();
  std::vector<sasl::Mechanism> refused;
  std::optional<sasl::Mechanism> mechanism = sasl::choose(terms.mechanisms, terms.offered, binding);
  if (!mechanism)
    co_return Event(conversation.stage, Trouble::no_mechanism,
                    fmt::format("the server offers AUTH {}; we may use {}", fmt::join(terms.offered, " "),
                                to_string(terms.mechanisms)));
  std::optional<Event> failure = co_await provide(conversation, fetch, login);
  if (failure) co_return failure;
  std::optional<Event> refusal;  // of the password or token before, on this connection
  while (mechanism) {
    failure = co_await try_secret(conversation, workers, *mechanism, terms, login, binding, refusal);
    if (!failure || login.hung_up) break;
    bool goes_on = false;
    if (refuses_secret(*failure, terms.blames_password)) goes_on = co_await take_next(login);
    if (goes_on) {
      refusal = failure;
    } else if (refuses_mechanism(*failure)) {
      refused.push_back(*mechanism);
      mechanism = sasl::choose(terms.mechanisms, terms.offered, binding, refused);
    } else {
      break;
    }
  }
  co_return failure;
}

}  // namespace relayd::send
