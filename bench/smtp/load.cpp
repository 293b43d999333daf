// load: clients that hand in messages by SMTP as fast as they are taken, all on one thread. Prints JSON.
//
// Commands are pipelined where that is offered (RFC 2920). The latency of a commit is the time from sending
// the final dot to reading its reply.
#include <fmt/format.h>
#include <openssl/base64.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <vector>

#include "../measure.hpp"
#include "histogram.hpp"
#include "token.hpp"
#include "wire.hpp"

namespace relayd::bench {
namespace {

struct Options {
  std::uint16_t port = 0;
  unsigned sessions = 1;
  std::uint64_t messages = 1000;
  double seconds = 0;  // 0: no limit
  std::size_t size = 4096;
  unsigned recipients = 1;
  unsigned senders = 1;
  std::string sender = "s";
  bool fresh = false;
  bool lockstep = false;
  std::string tls = "none";
  std::string username, password;
  unsigned every = 0;  // milliseconds
};

struct Counts {
  std::uint64_t taken = 0, errors = 0;
  Histogram commit, whole;
};

// A message whose token can be changed in place.
class Message {
 public:
  explicit Message(std::size_t size) {
    text_ = fmt::format("From: <s0@bench.example>\r\nSubject: measured\r\n{}", Token::field);
    token_ = text_.size();
    text_.append(Token::number_width + 1 + Token::begun_width, ' ').append("\r\n\r\n");
    while (text_.size() < size) {
      const std::size_t left = size - text_.size();
      text_.append(left < 80 ? std::max<std::size_t>(left, 3) - 2 : 76, 'x').append("\r\n");
    }
    text_ += ".\r\n";
  }

  std::string_view with(const Token& token) {
    token.write(text_.data() + token_);
    return text_;
  }

 private:
  std::string text_;
  std::size_t token_;
};

class Load;

// --- one client ---

class Client {
 public:
  explicit Client(Load& load) : load_(load) {}

  bool open() const { return wire_ != nullptr; }
  bool greeted() const { return step_ != Step::greeting; }
  // Gives up when it has waited for the greeting since before that time.
  void lose_patience(std::uint64_t before) {
    if (open() && !greeted() && opened_ < before) refused();
  }
  void begin();
  void ready(std::uint32_t events);

 private:
  enum class Step { greeting, capabilities, starttls, handshake, auth, envelope, content, quit };

  void reply(std::string_view line);
  void secured();
  void introduce();
  void introduced();
  void next_message();
  void send_commands();
  std::string_view command(unsigned index);
  void envelope_reply(char kind);
  void committed(char kind);
  void refused();
  void end();

  Load& load_;
  std::unique_ptr<Wire> wire_;
  Step step_ = Step::greeting;
  bool pipelining_ = false;
  unsigned said_ = 0, answered_ = 0;  // commands of the envelope
  std::string command_;
  Token token_;
  std::uint64_t opened_ = 0, dot_ = 0;
};

// --- all of them ---

class Load {
 public:
  explicit Load(const Options& given) : options(given), message(given.size) {
    async::TlsPolicy policy;
    policy.name = "localhost";
    policy.verify = false;
    auto context = net::TlsClientContext::create(policy);
    if (!context) throw std::runtime_error(context.error());
    tls = *context;
    const std::string plain = '\0' + given.username + '\0' + given.password;
    std::vector<std::uint8_t> base64(plain.size() * 2 + 4);
    EVP_EncodeBlock(base64.data(), reinterpret_cast<const std::uint8_t*>(plain.data()), plain.size());
    login = fmt::format("AUTH PLAIN {}\r\n", reinterpret_cast<const char*>(base64.data()));
  }

  // The number of the next message, unless it is time to end.
  std::optional<std::uint64_t> next() {
    if (number_ >= options.messages || over()) return std::nullopt;
    return number_++;
  }

  nlohmann::json run() {
    for (unsigned i = 0; i < options.sessions; ++i) clients_.push_back(std::make_unique<Client>(*this));
    begun_ = now();
    if (options.every > 0)
      run_paced(*clients_.front());
    else
      run_freely();
    const double took = static_cast<double>(now() - begun_) / 1e9;
    return {{"messages", counts.taken},
            {"errors", counts.errors},
            {"begun", begun_},
            {"seconds", took},
            {"per_second", static_cast<double>(counts.taken) / took},
            {"commit_us", counts.commit.summary()},
            {"message_us", counts.whole.summary()},
            {"cpu_seconds", seconds(cpu_time())}};
  }

  const Options options;
  Message message;
  std::string login;
  std::shared_ptr<net::TlsClientContext> tls;
  Poll poll;
  Counts counts;
  unsigned open = 0;

 private:
  // So many connections at most begin at once, and so long does a client wait for the greeting: a server
  // whose backlog is short may forget a connection that its client believes in (OpenSMTPD's is 5).
  static constexpr unsigned beginning_at_once = 4;
  static constexpr std::uint64_t patience = 1'000'000'000;

  bool over() const {
    return options.seconds > 0 && now() > begun_ + static_cast<std::uint64_t>(options.seconds * 1e9);
  }

  void turn(std::uint64_t until) {
    for (const epoll_event& event : poll.wait(until))
      static_cast<Client*>(event.data.ptr)->ready(event.events);
  }

  void run_freely() {
    std::size_t started = 0;
    std::uint64_t looked = begun_;
    while (open > 0 || started < clients_.size()) {
      for (; started < clients_.size() && beginning(started) < beginning_at_once; ++started)
        clients_[started]->begin();
      turn(now() + patience / 10);
      if (now() < looked + patience / 10) continue;
      looked = now();
      for (auto& client : clients_) client->lose_patience(over() ? looked : looked - patience);
    }
  }

  // How many of the first `started` wait for the greeting.
  std::size_t beginning(std::size_t started) const {
    return static_cast<std::size_t>(
        std::count_if(clients_.begin(), clients_.begin() + static_cast<std::ptrdiff_t>(started),
                      [](const auto& client) { return client->open() && !client->greeted(); }));
  }

  // One connection after the other, each with one message, at fixed times.
  void run_paced(Client& client) {
    for (std::uint64_t at = begun_; number_ < options.messages; at += options.every * 1'000'000ULL) {
      while (now() < at) turn(at);
      if (!client.open()) client.begin();
    }
    while (open > 0) turn(0);
  }

  std::vector<std::unique_ptr<Client>> clients_;
  std::uint64_t begun_ = 0;
  std::uint64_t number_ = 0;
};

void Client::begin() {
  const auto number = load_.next();
  if (!number) return;
  token_.number = *number;
  opened_ = now();
  wire_ = std::make_unique<Wire>(load_.poll, connect_to(load_.options.port), this);
  ++load_.open;
  step_ = Step::greeting;
  if (load_.options.tls != "implicit") return;
  step_ = Step::handshake;
  wire_->start_tls(net::TlsClient{load_.tls, {}});
  wire_->flush();
}

void Client::end() {
  wire_.reset();
  --load_.open;
}

void Client::ready(std::uint32_t events) {
  if (!wire_) return;
  if ((events & EPOLLOUT) && !wire_->flush()) return refused();
  if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  const bool was_secure = wire_->secure();
  if (!wire_->receive()) return step_ == Step::quit ? end() : refused();
  if (wire_->secure() && !was_secure) secured();
  while (wire_) {
    const auto line = wire_->line();
    if (!line) break;
    reply(*line);
  }
  if (wire_ && !wire_->flush()) refused();
}

void Client::reply(std::string_view line) {
  if (line.size() < 4) return refused();
  if (step_ == Step::capabilities && line.substr(4) == "PIPELINING") pipelining_ = !load_.options.lockstep;
  if (line[3] == '-') return;
  switch (step_) {
    case Step::greeting:
      return introduce();
    case Step::capabilities:
      return introduced();
    case Step::starttls:
      step_ = Step::handshake;
      return wire_->start_tls(net::TlsClient{load_.tls, {}});
    case Step::auth:
      return line[0] == '2' ? next_message() : refused();
    case Step::envelope:
      return envelope_reply(line[0]);
    case Step::content:
      return committed(line[0]);
    case Step::quit:
      end();
      if (load_.options.every == 0) begin();
      return;
    case Step::handshake:
      return refused();
  }
}

void Client::secured() {
  if (load_.options.tls == "implicit")
    step_ = Step::greeting;
  else
    introduce();
}

void Client::introduce() {
  step_ = Step::capabilities;
  wire_->write("EHLO load.example\r\n");
}

void Client::introduced() {
  if (load_.options.tls == "starttls" && !wire_->secure()) {
    step_ = Step::starttls;
    return wire_->write("STARTTLS\r\n");
  }
  if (load_.options.username.empty()) return next_message();
  step_ = Step::auth;
  wire_->write(load_.login);
}

void Client::next_message() {
  step_ = Step::envelope;
  said_ = answered_ = 0;
  token_.begun = opened_ ? std::exchange(opened_, 0) : now();
  send_commands();
}

void Client::send_commands() {
  const unsigned all = load_.options.recipients + 2;
  while (said_ < all && (pipelining_ || said_ == answered_)) wire_->write(command(said_++));
}

std::string_view Client::command(unsigned index) {
  command_.clear();
  const auto end = std::back_inserter(command_);
  if (index == 0)
    fmt::format_to(end, "MAIL FROM:<{}{}@bench.example>\r\n", load_.options.sender,
                   token_.number % load_.options.senders);
  else if (index <= load_.options.recipients)
    fmt::format_to(end, "RCPT TO:<r{}@rcpt.example>\r\n", index);
  else
    command_ = "DATA\r\n";
  return command_;
}

void Client::envelope_reply(char kind) {
  const bool last = ++answered_ == load_.options.recipients + 2;
  if (kind != (last ? '3' : '2')) return refused();
  if (!last) return send_commands();
  step_ = Step::content;
  dot_ = now();
  wire_->write(load_.message.with(token_));
}

void Client::committed(char kind) {
  if (kind != '2') return refused();
  const std::uint64_t time = now();
  ++load_.counts.taken;
  load_.counts.commit.record(time - dot_);
  load_.counts.whole.record(time - token_.begun);
  const auto number = load_.options.fresh ? std::nullopt : load_.next();
  if (number) {
    token_.number = *number;
    return next_message();
  }
  step_ = Step::quit;
  wire_->write("QUIT\r\n");
}

// Any refusal ends the connection and counts; the next message goes on a new one.
void Client::refused() {
  ++load_.counts.errors;
  end();
  if (load_.options.every == 0) begin();
}

}  // namespace
}  // namespace relayd::bench

int main(int argc, char** argv) try {
  relayd::bench::Options options;
  CLI::App app("An SMTP load generator");
  app.add_option("--port", options.port, "Loopback port of the server")->required();
  app.add_option("--sessions", options.sessions, "Connections at a time");
  app.add_option("--messages", options.messages, "How many in all");
  app.add_option("--seconds", options.seconds, "Begin no message after that time");
  app.add_option("--size", options.size, "Octets of a message, header included");
  app.add_option("--recipients", options.recipients, "Of each message");
  app.add_option("--senders", options.senders, "Reverse-paths in turn: s0@bench.example, s1@…")
      ->check(CLI::PositiveNumber);
  app.add_option("--sender", options.sender, "What their names begin with, in place of s");
  app.add_flag("--fresh", options.fresh, "A new connection for each message");
  app.add_flag("--lockstep", options.lockstep, "Wait for each reply, also where PIPELINING is offered");
  app.add_option("--tls", options.tls, "none, starttls or implicit; certificates are not verified")
      ->check(CLI::IsMember({"none", "starttls", "implicit"}));
  app.add_option("--username", options.username, "Log in with AUTH PLAIN");
  app.add_option("--password", options.password);
  app.add_option("--every", options.every,
                 "One message at a time, on a connection of its own, every so many milliseconds");
  CLI11_PARSE(app, argc, argv);
  if (options.every > 0) options.fresh = true;
  fmt::print("{}\n", relayd::bench::Load(options).run().dump());
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "load: {}\n", error.what());
  return 1;
}
