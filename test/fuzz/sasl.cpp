#include "shared/sasl/sasl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "fuzz/targets.hpp"
#include "shared/base/ascii.hpp"
#include "shared/sasl/bearer.hpp"
#include "shared/sasl/gsasl.hpp"
#include "shared/sasl/scram.hpp"

namespace relayd::fuzz {

namespace {

constexpr std::string_view username = "ann", password = "secret";
constexpr char nonce_mark = '\1';  // in the input, for what cannot be guessed

std::string_view take_line(std::string_view& input) {
  const std::string_view line = input.substr(0, input.find('\n'));
  input.remove_prefix(std::min(input.size(), line.size() + 1));
  return line;
}

std::string with_nonce(std::string_view line, const std::string& nonce) {
  std::string text;
  for (const char c : line) text += c == nonce_mark ? nonce : std::string(1, c);
  return text;
}

// The value of the attribute in a SCRAM message.
std::string nonce_of(const std::string& message) {
  const std::size_t begin = message.find("r=");
  return begin == std::string::npos ? "" : message.substr(begin + 2, message.find(',', begin) - begin - 2);
}

void base64(std::string_view input) {
  const std::string encoded = sasl::encode(input);
  demand(sasl::decode(encoded) == std::string(input), "base64 gives back what was put in");
  if (const std::optional<std::string> decoded = sasl::decode(input))
    demand(sasl::decode(sasl::encode(*decoded)) == *decoded, "one value has one meaning");
}

void stored_secret(std::string_view input) {
  const Result<sasl::ScramSecret> secret = sasl::parse_scram_secret(input);
  if (!secret) return;
  const std::string text =
      fmt::format("SCRAM-SHA-256${}:{}${}:{}", secret->iterations, sasl::encode(secret->salt),
                  sasl::encode(secret->stored_key), sasl::encode(secret->server_key));
  const Result<sasl::ScramSecret> again = sasl::parse_scram_secret(text);
  demand(again.ok() && again->salt == secret->salt && again->stored_key == secret->stored_key &&
             again->server_key == secret->server_key && again->iterations == secret->iterations,
         "a kept secret is read as it is written");
}

// A server's challenges, one a line.
void client(sasl::Mechanism mechanism, std::string_view input) {
  sasl::Client client(mechanism, {std::string(username), Secret(std::string(password))},
                      ChannelBinding{"tls-exporter", "binding"});
  std::string nonce;
  while (!input.empty()) {
    const std::string challenge = with_nonce(take_line(input), nonce);
    // More iterations are as sound, and slow.
    if (sasl::check_server_first(challenge) && challenge.find(",i=4096") == std::string::npos) return;
    const Result<std::string> response = client.step(sasl::encode(challenge));
    if (!response) return;
    const std::optional<std::string> octets = sasl::decode(*response);
    demand(octets.has_value(), "a response is base64");
    if (nonce.empty()) nonce = nonce_of(*octets);
    demand(!to_string(mechanism).starts_with("scram") || !client.complete(),
           "nobody proves what he does not know");
  }
}

void server(sasl::Mechanism mechanism, std::string_view input) {
  using Kind = sasl::Server::Step::Kind;
  const auto lookup = [](std::string_view name) -> std::optional<sasl::Server::Stored> {
    if (name != username) return std::nullopt;
    return Secret(std::string(password));
  };
  sasl::Server server(mechanism, lookup, ChannelBinding{"tls-exporter", "binding"});
  std::vector<std::string> said = {std::string(take_line(input))};
  sasl::Server::Step step = server.begin(sasl::encode(said.back()));
  while (step.kind == Kind::challenge && !input.empty()) {
    const std::string nonce = nonce_of(sasl::decode(step.text).value_or(""));
    said.push_back(with_nonce(take_line(input), nonce));
    step = server.step(sasl::encode(said.back()));
  }
  if (step.kind != Kind::success) return;
  const std::string plain = fmt::format("{0}{1}{0}{2}", '\0', username, password);
  const bool right = mechanism == sasl::Mechanism::plain
                         ? said.back() == plain || said.back() == std::string(username) + plain
                         : said == std::vector<std::string>{std::string(username), std::string(password)};
  demand(right && server.username() == username, "only the right password logs in");
}

// A username and a token, one a line, and what the server says to them.
void bearer(sasl::Mechanism mechanism, std::string_view input) {
  const std::string name(take_line(input)), token(take_line(input));
  const Result<Secret> message = sasl::bearer_message(mechanism, {name, Secret(token), "host.example", 587});
  if (message) {
    const std::string octets = sasl::decode(message->reveal()).value_or("");
    demand(octets.ends_with("Bearer " + token + "\1\1"), "the token stands at the end");
    const std::ptrdiff_t fields = mechanism == sasl::Mechanism::xoauth2 ? 3 : 5;
    demand(std::ranges::count(octets, '\1') == fields, "neither name nor token adds a field");
  }
  demand(sasl::bearer_refusal(input).size() <= 512, "a refusal is bounded");
}

}  // namespace

void sasl(std::string_view input) {
  base64(input);
  stored_secret(input);
  static const std::vector<sasl::Mechanism> servers = {sasl::Mechanism::scram_sha_256_plus,
                                                       sasl::Mechanism::scram_sha_256, sasl::Mechanism::plain,
                                                       sasl::Mechanism::login};
  const std::string_view name = take_line(input);
  if (const auto mechanism = sasl::find_mechanism(name))
    sasl::takes_token(*mechanism) ? bearer(*mechanism, input) : client(*mechanism, input);
  if (!name.starts_with("server ")) return;
  const auto mechanism = sasl::find_mechanism(name.substr(7));
  if (mechanism && std::ranges::find(servers, *mechanism) != servers.end()) server(*mechanism, input);
}

}  // namespace relayd::fuzz
