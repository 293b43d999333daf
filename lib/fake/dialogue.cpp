#include "fake/dialogue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "fake/token_message.hpp"
#include "shared/base/ascii.hpp"
#include "shared/base/base64.hpp"
#include "shared/sasl/bearer.hpp"

namespace relayd::fake {

using smtp::Stage;
using Kind = sasl::Server::Step::Kind;

namespace {

// PLAIN and LOGIN are what the server half of sasl can do with a clear password for any name.
constexpr sasl::Mechanism possible[] = {sasl::Mechanism::plain, sasl::Mechanism::login,
                                        sasl::Mechanism::xoauth2, sasl::Mechanism::oauthbearer};

constexpr std::string_view unreadable = "501 5.5.2 Cannot read the response";

constexpr unsigned recipients_kept = 10'000;

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

std::uint64_t Part::size_limit() const {
  return provider.limits.message_size.value_or(64_MiB).count;
}

Dialogue::Answer Dialogue::say(std::string_view reply, Next next) {
  return {fmt::format("{}\r\n", reply), reply.starts_with("421") ? Next::nothing : next};
}

Dialogue::Answer Dialogue::refuse(std::string_view reply) {
  if (part_.on_note) part_.on_note({account_, sender_.value_or(""), recipients_, reply, {}});
  if (reply.empty()) return {"", Next::nothing};
  return say(reply);
}

Dialogue::Answer Dialogue::refuse_as(std::string_view behaviour) {
  return refuse(find_behaviour(part_.provider, behaviour).value().reply);
}

std::optional<std::string_view> Dialogue::wrong_reply(Stage stage) {
  if (!part_.behaviour || part_.behaviour->stage != stage || part_.times == 0u) return std::nullopt;
  if (part_.times) --*part_.times;
  return part_.behaviour->reply;
}

std::optional<Dialogue::Answer> Dialogue::misbehave(Stage stage) {
  const std::optional<std::string_view> reply = wrong_reply(stage);
  return reply ? std::optional(refuse(*reply)) : std::nullopt;
}

bool Dialogue::needs_login() const {
  return !(part_.provider.is_preset() && part_.provider.mechanisms.empty()) && account_.empty();
}

std::string Dialogue::mechanisms() const {
  const std::vector<sasl::Mechanism>& of_provider = part_.provider.mechanisms;
  std::string names;
  for (const sasl::Mechanism one : possible)
    if (of_provider.empty() ? !sasl::takes_token(one)
                            : std::ranges::find(of_provider, one) != of_provider.end())
      names += " " + sasl::wire_name(one);
  return names;
}

Dialogue::Answer Dialogue::greet() {
  if (const std::optional<Answer> wrong = misbehave(Stage::greeting)) return *wrong;
  return say(fmt::format("220 {} ESMTP", part_.host));
}

void Dialogue::encrypted() {
  can_encrypt_ = false;
  greeted_ = false;
  account_.clear();
  forget_transaction();
}

void Dialogue::forget_transaction() {
  sender_.reset();
  smtp_utf8_ = false;
  recipients_.clear();
}

Dialogue::Answer Dialogue::reset(std::string_view reply) {
  forget_transaction();
  return say(reply);
}

Dialogue::Answer Dialogue::read_too_long() {
  login_.reset();
  token_login_.reset();
  return refuse("500 5.5.6 Line too long");
}

Dialogue::Answer Dialogue::read(std::string_view line) {
  if ((login_ || token_login_) && line == "*") {
    login_.reset();
    token_login_.reset();
    return refuse("501 5.7.0 Authentication cancelled");
  }
  if (login_) return answer_login(login_->step(line));
  if (token_login_) return answer_token(line);
  const smtp::Command command = smtp::parse_command(line, smtp_utf8_);
  return std::visit(
      Overloaded{
          [this](const smtp::Ehlo&) { return hello(true); },
          [this](const smtp::Helo&) { return hello(false); },
          [this](const smtp::StartTls&) { return start_tls(); },
          [this](const smtp::Auth& auth) { return authenticate(auth); },
          [this](const smtp::Mail& from) { return mail(from); },
          [this](const smtp::Rcpt& to) { return rcpt(to); },
          [this](const smtp::Data&) { return data(); },
          [this](const smtp::Rset&) { return reset("250 2.0.0 Ok"); },
          [this](const smtp::Noop&) { return say("250 2.0.0 Ok"); },
          [this](const smtp::Quit&) { return say("221 2.0.0 Bye", Next::nothing); },
          [this](const smtp::Rejected& rejected) { return refuse(smtp::one_line(rejected.reply)); },
          [this](const auto&) { return refuse("502 5.5.1 Command not implemented"); },
      },
      command);
}

Dialogue::Answer Dialogue::hello(bool extended) {
  if (const std::optional<Answer> wrong = misbehave(Stage::ehlo)) return *wrong;
  forget_transaction();
  greeted_ = true;
  if (!extended) return say("250 " + part_.host);
  std::vector<std::string> lines = {part_.host};
  for (const std::string_view extension : part_.provider.extensions) lines.emplace_back(extension);
  if (part_.provider.limits.message_size) lines.push_back(fmt::format("SIZE {}", part_.size_limit()));
  if (can_encrypt_)
    lines.emplace_back("STARTTLS");
  else if (needs_login())
    lines.push_back("AUTH" + mechanisms());
  std::string reply;
  for (const std::string& line : lines)
    reply += fmt::format("250{}{}\r\n", &line == &lines.back() ? ' ' : '-', line);
  return {reply, Next::line};
}

Dialogue::Answer Dialogue::start_tls() {
  if (!can_encrypt_) return refuse("503 5.5.1 STARTTLS is not offered now");
  return say("220 2.0.0 Ready to start TLS", Next::handshake);
}

Dialogue::Answer Dialogue::authenticate(const smtp::Auth& command) {
  if (can_encrypt_) return refuse("530 5.7.0 Must issue a STARTTLS command first");
  if (!greeted_ || !needs_login()) return refuse("503 5.5.1 AUTH is not offered now");
  const std::string offered = mechanisms() + " ";
  if (offered.find(fmt::format(" {} ", command.mechanism)) == std::string::npos)
    return refuse("504 5.5.4 Unrecognized authentication type");
  const sasl::Mechanism mechanism = sasl::find_mechanism(command.mechanism).value();
  if (sasl::takes_token(mechanism)) {
    token_login_ = TokenLogin{mechanism};
    return command.response ? answer_token(*command.response) : say("334 ");
  }
  if (const std::optional<Answer> wrong = misbehave(Stage::auth)) return *wrong;
  const auto lookup = [this](std::string_view name) -> std::optional<sasl::Server::Stored> {
    if (name.empty() || !route::may_be_username(part_.provider, name)) return std::nullopt;
    return Secret(part_.password);
  };
  login_.emplace(mechanism, lookup);
  return answer_login(login_->begin(command.response));
}

Dialogue::Answer Dialogue::answer_login(const sasl::Server::Step& step) {
  if (step.kind == Kind::challenge) return say("334 " + step.text);
  const std::string name = login_->username();
  login_.reset();
  if (step.malformed) return refuse(unreadable);
  if (step.kind == Kind::failure) return refuse_as(refuse_password);
  account_ = name;
  return say("235 2.7.0 Authentication successful");
}

Dialogue::Answer Dialogue::answer_token(std::string_view line) {
  const auto [mechanism, refusal] = *token_login_;
  token_login_.reset();
  if (refusal) return refuse(line == sasl::bearer_dismissal(mechanism) ? *refusal : unreadable);
  const std::optional<TokenMessage> message = read_token_message(mechanism, line);
  if (!message) return refuse(unreadable);
  const std::string_view not_taken = find_behaviour(part_.provider, refuse_password).value().reply;
  std::optional<std::string_view> wrong = wrong_reply(Stage::auth);
  const bool right =
      message->token == part_.token && route::may_be_username(part_.provider, message->username);
  if (!wrong && !right) wrong = not_taken;
  if (wrong == not_taken && !part_.provider.token_refusal.empty()) {
    token_login_ = TokenLogin{mechanism, wrong};
    return say("334 " + base64::encode(part_.provider.token_refusal));
  }
  if (wrong) return refuse(*wrong);
  account_ = message->username;
  return say("235 2.7.0 Authentication successful");
}

Dialogue::Answer Dialogue::mail(const smtp::Mail& command) {
  if (!greeted_ || sender_) return refuse("503 5.5.1 Bad sequence of commands");
  if (can_encrypt_) return refuse("530 5.7.0 Must issue a STARTTLS command first");
  if (needs_login()) return refuse("530 5.7.0 Authentication required");
  sender_ = command.reverse_path;
  std::optional<Answer> wrong = misbehave(Stage::mail);
  const std::uint32_t most = part_.provider.limits.messages_per_connection.value_or(0);
  if (!wrong && command.reverse_path.empty() && !part_.provider.null_sender) wrong = refuse_as(null_sender);
  if (!wrong && most != 0 && messages_ >= most) wrong = refuse_as(connection_used_up);
  if (!wrong && command.size.value_or(0) > part_.size_limit()) wrong = refuse_as(too_large);
  if (wrong) {
    forget_transaction();
    return *wrong;
  }
  smtp_utf8_ = command.smtp_utf8;
  return say("250 2.1.0 Ok");
}

Dialogue::Answer Dialogue::rcpt(const smtp::Rcpt& command) {
  if (!sender_) return refuse("503 5.5.1 MAIL first");
  recipients_.push_back(command.forward_path);
  std::optional<Answer> wrong = misbehave(Stage::rcpt);
  const config::UpstreamLimits& limits = part_.provider.limits;
  const bool over = recipients_.size() > limits.recipients_per_message.value_or(recipients_kept) ||
                    (limits.recipients_per_connection && *limits.recipients_per_connection != 0 &&
                     all_recipients_ >= *limits.recipients_per_connection);
  if (!wrong && over) wrong = refuse_as(too_many_recipients);
  if (wrong) {
    recipients_.pop_back();
    return *wrong;
  }
  ++all_recipients_;
  return say("250 2.1.5 Ok");
}

Dialogue::Answer Dialogue::data() {
  if (!sender_ || recipients_.empty()) return refuse("503 5.5.1 RCPT first");
  if (std::optional<Answer> wrong = misbehave(Stage::data)) {
    forget_transaction();
    return *wrong;
  }
  return say("354 Go ahead", Next::content);
}

Dialogue::Answer Dialogue::take(std::string_view content, std::uint64_t octets) {
  std::optional<Answer> answer = misbehave(Stage::final_dot);
  if (!answer && octets > part_.size_limit()) answer = refuse_as(too_large);
  if (!answer) {
    ++messages_;
    const std::string id = fmt::format("sandbox-{:06}", ++part_.taken);
    const std::string reply = fmt::format(fmt::runtime(part_.provider.taken), id);
    if (part_.on_note) part_.on_note({account_, *sender_, recipients_, reply, content});
    answer = say(reply);
  }
  forget_transaction();
  return *answer;
}

}  // namespace relayd::fake
