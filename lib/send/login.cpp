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
                                         const std::string& mechanism, const sasl::Credential& credential,
                                         const std::optional<ChannelBinding>& binding) {
  sasl::Client client(mechanism, credential, binding);
  std::string line = "AUTH " + mechanism;
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

bool refuses_password(const Event& event) {
  return !event.trouble && event.reply.code == 535;
}

}  // namespace

Task<LoginResult> log_in(Conversation& conversation, async::Workers& workers, const LoginTerms& terms,
                         const FetchCredential& fetch) {
  conversation.stage = smtp::Stage::auth;
  LoginResult result;
  const auto fail = [&](Trouble trouble, std::string text) {
    result.failure = Event(conversation.stage, trouble, std::move(text));
  };
  if (!conversation.tls().verified && !terms.clear_password_allowed) {
    fail(Trouble::tls, "the password is sent over verified TLS only");
    co_return result;
  }
  const std::optional<ChannelBinding> binding = conversation.stream().channel_binding();
  std::vector<std::string> refused;
  std::string mechanism = sasl::choose(terms.mechanisms, terms.offered, binding);
  if (mechanism.empty()) {
    fail(Trouble::no_mechanism, fmt::format("the server offers AUTH {}; we may use {}",
                                            fmt::join(terms.offered, " "), fmt::join(terms.mechanisms, " ")));
    co_return result;
  }
  const Result<Credential> credential = co_await workers.run(fetch);
  if (!credential) {
    fail(Trouble::no_password, credential.error());
    co_return result;
  }
  while (!mechanism.empty()) {
    const sasl::Credential attempt{credential->username, credential->passwords[result.password]};
    result.failure = co_await try_mechanism(conversation, workers, mechanism, attempt, binding);
    if (!result.failure) break;
    if (refuses_password(*result.failure) && result.password + 1 < credential->passwords.size()) {
      ++result.password;
    } else if (refuses_mechanism(*result.failure)) {
      refused.push_back(mechanism);
      mechanism = sasl::choose(terms.mechanisms, terms.offered, binding, refused);
    } else {
      break;
    }
  }
  co_return result;
}

}  // namespace relayd::send
