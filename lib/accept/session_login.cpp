// Session: STARTTLS (RFC 3207) and AUTH (RFC 4954).
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "accept/rules.hpp"
#include "accept/session.hpp"
#include "shared/config/value.hpp"

namespace relayd::accept {

using async::Task;
using config::TlsMode;
using smtp::Reply;
using Kind = sasl::Server::Step::Kind;

namespace {

constexpr unsigned logins_until_close = 5;  // of one connection

std::optional<sasl::Server::Stored> nobody(std::string_view) {
  return std::nullopt;
}

}  // namespace

// One exchange of AUTH.
struct Session::Login {
  Login(SteadyTime now, sasl::Mechanism mechanism, sasl::Server::Lookup lookup,
        std::optional<ChannelBinding> binding)
      : began(now), server(mechanism, std::move(lookup), std::move(binding)) {
    if (mechanism == sasl::Mechanism::plain || mechanism == sasl::Mechanism::login)
      reader.emplace(mechanism, nobody);
  }
  // Who the client says it is, as far as it was said.
  const std::string& account() const { return reader ? reader->username() : server.username(); }

  const SteadyTime began;
  sasl::Server server;
  // Reads what the server reads, and derives nothing: PLAIN and LOGIN tell the name with the last response.
  std::optional<sasl::Server> reader;
  sasl::Server::Step step;
  bool has_begun = false;
};

std::optional<sasl::Server::Stored> find_account(const Accounts& accounts, std::string_view name) {
  if (accounts.empty()) return std::nullopt;
  // Both are worked out for every name: what only some names need would show in the time of the challenge.
  sasl::ScramSecret made_up = sasl::made_up_secret(name, 1);
  // Which account it looks like is as fixed, and as hard to guess, as a key.
  const auto place = static_cast<unsigned char>(made_up.stored_key.front());
  const auto model = std::next(accounts.begin(), static_cast<std::ptrdiff_t>(place % accounts.size()));
  const auto found = accounts.find(name);
  if (found != accounts.end()) return found->second;
  const auto* const kept = std::get_if<sasl::ScramSecret>(&model->second);
  if (!kept) return std::nullopt;
  made_up.iterations = kept->iterations;
  return made_up;
}

Task<void> Session::encrypt() {
  co_await keep_to(around_.gate.handshakes);
  const Deadline patience = around_.loop.now() + config_->limits.command_timeout;
  async::Handshakes nobodys;
  async::Handshakes& counts = around_.handshakes ? *around_.handshakes : nobodys;
  co_await async::start_tls(*stream_, std::min(patience, login_due_), counts);
  facts_.tls = stream_->tls().version;
}

Task<Session::After> Session::starttls() {
  if (listener_.tls != TlsMode::starttls) co_return answer_error({502, {5, 5, 1}, "STARTTLS is not offered"});
  if (!facts_.tls.empty()) co_return answer_error({503, {5, 5, 1}, "TLS is already active"});
  if (envelope_) co_return answer_error({503, {5, 5, 1}, "A transaction is open"});
  if (!input_.empty()) {
    // Bytes sent behind STARTTLS in the clear would be read as if they had come inside it (CVE-2011-0411).
    answer(554, {5, 5, 0}, "Nothing may follow STARTTLS before the handshake");
    co_return After::close;
  }
  answer(220, {2, 0, 0}, "Go ahead");
  co_await send();
  // RFC 3207 4.2: all that was said before is forgotten.
  const std::string client = std::move(facts_.client);
  facts_ = ClientFacts{};
  facts_.client = client;
  facts_.listener = listener_.address;
  co_await encrypt();
  expect_login();
  greeted_ = false;
  input_.clear();
  co_return After::go_on;
}

// Who is trusted already may log in as anybody: a plain name is all that is wanted then.
std::string Session::mechanisms() const {
  if (listener_.auth == config::ListenerAuth::accept_any) return "PLAIN LOGIN";
  return sasl::server_mechanisms(stream_->channel_binding().has_value());
}

std::optional<Reply> Session::refuse_auth(const smtp::Auth& command) const {
  const std::string offered = fmt::format(" {} ", mechanisms());
  if (listener_.auth == config::ListenerAuth::none) return Reply{502, {5, 5, 1}, "AUTH is not offered"};
  if (!greeted_ || !facts_.extended) return Reply{503, {5, 5, 1}, "Say EHLO first"};
  if (!facts_.account.empty()) return Reply{503, {5, 5, 1}, "Already authenticated"};
  if (envelope_) return Reply{503, {5, 5, 1}, "A transaction is open"};
  if (!auth_offered(listener_, facts_.client, !facts_.tls.empty()))
    return Reply{538, {5, 7, 11}, "Encryption required: STARTTLS first"};
  if (offered.find(fmt::format(" {} ", command.mechanism)) == std::string::npos)
    return Reply{504, {5, 5, 4}, "Mechanism not offered"};
  return std::nullopt;
}

Task<Session::After> Session::authenticate(smtp::Auth& command) {
  if (const std::optional<Reply> refusal = refuse_auth(command)) co_return answer_error(*refusal);
  const bool any_will_do = listener_.auth == config::ListenerAuth::accept_any;
  Login login(around_.loop.now(), sasl::find_mechanism(command.mechanism).value(),
              any_will_do ? sasl::Server::Lookup(nobody) : lookup(), stream_->channel_binding());
  const std::optional<After> broken_off = co_await exchange(login, command);
  if (command.response) wipe(*command.response);
  input_.wipe_taken();
  if (broken_off) co_return *broken_off;
  if (locked_out(login)) {
    const Reply not_now{
        421, {4, 7, 0}, "Too many failed logins of this account from your address, try again later"};
    log_refused_login(not_now, login.account());
    answer(not_now);
    co_return After::close;
  }
  if (login.step.kind != Kind::success && !(any_will_do && !login.step.malformed)) {
    const After after = co_await fail_login(login);
    co_return after;
  }
  facts_.account = login.account().empty() ? "unknown" : login.account();
  if (any_will_do)
    facts_.account.insert(0, config::unverified_account);
  else
    around_.penalties.succeeded(facts_.client, facts_.account, login.began);
  expect_login();
  answer(235, {2, 7, 0}, "Authentication successful");
  co_return After::go_on;
}

sasl::Server::Lookup Session::lookup() {
  return
      [accounts = around_.intake.accounts()](std::string_view name) { return find_account(*accounts, name); };
}

// Challenges and responses up to the last step. Something is returned when the client broke it off.
Task<std::optional<Session::After>> Session::exchange(Login& login, const smtp::Auth& command) {
  co_await advance(login, command.response);
  // A success may have a last message (SCRAM's server signature), which the client answers with an empty
  // line.
  const sasl::Server::Step& step = login.step;
  while (step.kind == Kind::challenge || (step.kind == Kind::success && !step.text.empty())) {
    if (step.kind == Kind::success && locked_out(login)) break;
    answer(334, {}, step.text);
    const Deadline patience = around_.loop.now() + config_->limits.command_timeout;
    std::optional<smtp::LineBuffer::Line> line;
    try {
      line = co_await next_line(std::min(patience, login_due_));
    } catch (const async::IoError&) {
      if (!login_is_late()) throw;
    }
    if (login_is_late()) co_return answer_late_login();
    if (!line) co_return After::close;
    if (line->too_long) co_return answer_error({500, {5, 5, 6}, "Line too long"});
    if (line->text == "*")
      co_return answer_error({501, {5, 7, 0}, "Authentication cancelled"});  // RFC 4954 4
    if (step.kind == Kind::success) break;
    std::optional<std::string> response(line->text);
    co_await advance(login, response);
    wipe(*response);
  }
  co_return std::nullopt;
}

// One step of the exchange. Nothing is derived for an account that is locked out: that step fails.
Task<void> Session::advance(Login& login, const std::optional<std::string>& response) {
  const auto take = [&response, begins = !std::exchange(login.has_begun, true)](sasl::Server& server) {
    return begins ? server.begin(response) : server.step(*response);
  };
  if (login.reader) take(*login.reader);
  if (!login.server.needs_derivation())
    login.step = take(login.server);
  else if (locked_out(login))
    login.step = {Kind::failure, {}, false};
  else
    login.step = co_await around_.workers.run([&] { return take(login.server); });
}

// A right password must not be told from a wrong one then. Programs on this machine share an address: a
// broken one must not shut the others out.
bool Session::locked_out(const Login& login) const {
  return listener_.auth != config::ListenerAuth::accept_any && !is_local(facts_.client) &&
         around_.penalties.exhausted(facts_.client, login.account(), login.began);
}

// The account is the one that was asked for: nobody is logged in.
void Session::log_refused_login(const Reply& reply, std::string_view account) {
  around_.log.warning("rejected", {{"client", facts_.client},
                                   {"account", account},
                                   {"code", reply.code},
                                   {"enhanced", smtp::to_string(reply.enhanced)},
                                   {"response", smtp::escape(reply.text)}});
}

// The answer comes at a time that says nothing of what was looked up or derived, later with each failure.
Task<Session::After> Session::fail_login(const Login& login) {
  const Reply reply = login.step.malformed ? Reply{501, {5, 5, 2}, "Cannot read the response"}  // RFC 4954 4
                                           : Reply{535, {5, 7, 8}, "Authentication failed"};
  log_refused_login(reply, login.account());
  const Duration delay = std::max(around_.penalties.failed(facts_.client, login.account(), login.began),
                                  Penalties::delay(failed_logins_));
  co_await pause_until(login.began + delay);
  answer(reply);
  expect_login();
  if (++failed_logins_ < logins_until_close) co_return After::go_on;
  answer(421, {4, 7, 0}, "Too many failed logins");
  co_return After::close;
}

}  // namespace relayd::accept
