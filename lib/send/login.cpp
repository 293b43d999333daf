#include "send/login.hpp"

#include <fmt/format.h>

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

bool refuses_password(const Event& event, const BlamesPassword& blames) {
  return !event.trouble && event.reply.code == 535 && (!blames || blames(event.reply));
}

// The server ended the connection, or is about to (RFC 5321 3.8).
bool hangs_up(const IoError& error) {
  return error.fault() == async::IoFault::closed || error.fault() == async::IoFault::reset;
}
bool hangs_up(const Event& event) {
  return !event.trouble && event.reply.code == 421;
}

// Fetches what is not there yet. An event: it cannot be had.
Task<std::optional<Event>> provide(const Conversation& conversation, const FetchCredential& fetch,
                                   Login& login) {
  if (login.credential) co_return std::nullopt;
  Result<Credential> credential = co_await fetch();
  if (!credential) co_return Event(conversation.stage, Trouble::no_password, credential.error());
  login.credential = std::move(*credential);
  co_return std::nullopt;
}

// Tries a password; where the one before was refused on this connection, the server may have had enough.
Task<std::optional<Event>> try_password(Conversation& conversation, async::Workers& workers,
                                        sasl::Mechanism mechanism, Login& login,
                                        const std::optional<ChannelBinding>& binding,
                                        const std::optional<Event>& refusal) {
  const Password& password = login.credential->passwords[login.password];
  const sasl::Credential attempt{login.credential->username, password.secret};
  std::optional<Event> event;
  try {
    event = co_await try_mechanism(conversation, workers, mechanism, attempt, binding);
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
  if (!conversation.tls().verified && !terms.clear_password_allowed)
    co_return Event(conversation.stage, Trouble::tls, "the password is sent over verified TLS only");
  const std::optional<ChannelBinding> binding = conversation.stream().channel_binding();
  std::vector<sasl::Mechanism> refused;
  std::optional<sasl::Mechanism> mechanism = sasl::choose(terms.mechanisms, terms.offered, binding);
  if (!mechanism)
    co_return Event(conversation.stage, Trouble::no_mechanism,
                    fmt::format("the server offers AUTH {}; we may use {}", fmt::join(terms.offered, " "),
                                to_string(terms.mechanisms)));
  std::optional<Event> failure = co_await provide(conversation, fetch, login);
  std::optional<Event> refusal;  // of the password before, on this connection
  while (mechanism && login.credential) {
    failure = co_await try_password(conversation, workers, *mechanism, login, binding, refusal);
    if (!failure || login.hung_up) break;
    if (refuses_password(*failure, terms.blames_password) &&
        login.password + 1 < login.credential->passwords.size()) {
      ++login.password;
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
