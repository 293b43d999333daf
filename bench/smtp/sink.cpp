// sink: the upstream of a measurement. Takes every message, counts it, and throws it away.
//
// Prints its port at once. SIGTERM ends it and prints what was counted as JSON; a connection to the unix
// socket of
// --control reads the same while it runs. Messages of `load` carry a number and the time at which they began,
// so that the sink knows each that came twice and how long each was on its way.
#include <fmt/format.h>
#include <openssl/base64.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <deque>
#include <map>
#include <unordered_map>
#include <vector>

#include "../measure.hpp"
#include "histogram.hpp"
#include "shared/base/ascii.hpp"
#include "token.hpp"
#include "wire.hpp"

namespace relayd::bench {
namespace {

struct Options {
  std::uint16_t port = 0;
  std::string tls = "none";
  std::string certificate, key;
  bool auth = false;
  bool lockstep = false;
  unsigned rtt = 0;  // milliseconds
  std::string control;
};

struct Counts {
  std::uint64_t messages = 0, recipients = 0, octets = 0, duplicates = 0, distinct = 0;
  std::uint64_t connections = 0, connections_peak = 0, refused = 0;
  std::uint64_t full = 0, resumed = 0, authentications = 0;
  std::uint64_t first = 0, last = 0;  // when messages arrived
  std::map<std::string, std::uint64_t> accounts;
  std::vector<bool> seen;  // by the number of the message
  Histogram transit;

  void arrived(std::uint64_t time) {
    if (++messages == 1) first = time;
    last = time;
  }

  void number(const Token& token, std::uint64_t time) {
    if (token.number >= seen.size()) seen.resize(token.number + token.number / 2 + 1);
    ++(seen[token.number] ? duplicates : distinct);
    seen[token.number] = true;
    transit.record(time - token.begun);
  }
};

std::string decode(std::string_view base64) {
  std::string clear(base64.size(), '\0');
  std::size_t size = 0;
  if (!EVP_DecodeBase64(reinterpret_cast<std::uint8_t*>(clear.data()), &size, clear.size(),
                        reinterpret_cast<const std::uint8_t*>(base64.data()), base64.size()))
    return {};
  clear.resize(size);
  return clear;
}

// Whether a line begins with a verb and its fixed words.
bool is(std::string_view line, std::string_view verb) {
  return ascii::equal_ignoring_case(line.substr(0, verb.size()), verb);
}

// --- one connection ---

class Session {
 public:
  Session(const Options& options, Counts& counts, std::shared_ptr<net::TlsServerContext> tls, Poll& poll,
          int descriptor, std::uint64_t id)
      : id(id), wire(poll, descriptor, this), options_(options), counts_(counts), tls_(std::move(tls)) {
    if (options_.tls == "implicit")
      wire.start_tls(tls_);
    else
      reply("220 sink.example ESMTP");
  }

  // Answers all that has arrived; false when the peer is gone.
  bool readable() {
    const bool was_secure = wire.secure();
    if (!wire.receive()) return false;
    if (wire.secure() && !was_secure) secured();
    while (const auto line = wire.line()) {
      if (step_ == Step::content)
        content(*line);
      else
        answer(*line);
    }
    return true;
  }

  const std::uint64_t id;
  Wire wire;
  bool ended = false;       // QUIT was answered
  std::size_t delayed = 0;  // replies on their way
  bool spoke = false;       // something was sent

 private:
  enum class Step { command, plain, login_name, login_password, content };

  void reply(std::string_view text) {
    wire.write(text);
    wire.write("\r\n");
  }

  void secured() {
    ++(wire.resumed() ? counts_.resumed : counts_.full);
    if (options_.tls == "implicit") reply("220 sink.example ESMTP");
  }

  void answer(std::string_view line) {
    switch (step_) {
      case Step::plain: {
        const std::string response = decode(line);  // RFC 4616: authorization, NUL, name, NUL, password
        const std::size_t name = response.find('\0') + 1;
        return log_in(response.substr(name, response.find('\0', name) - name));
      }
      case Step::login_name:
        account_name_ = decode(line);
        step_ = Step::login_password;
        return reply("334 UGFzc3dvcmQ6");
      case Step::login_password:
        return log_in(account_name_);
      default:
        return command(line);
    }
  }

  void command(std::string_view line) {
    if (is(line, "MAIL FROM:")) return mail();
    if (is(line, "RCPT TO:")) return recipient();
    if (is(line, "DATA")) return data();
    if (is(line, "EHLO")) return capabilities();
    if (is(line, "HELO")) return reply("250 sink.example");
    if (is(line, "STARTTLS") && options_.tls == "starttls") {
      reply("220 2.0.0 Begin");
      return wire.start_tls(tls_);
    }
    if (is(line, "AUTH PLAIN")) return begin(Step::plain, line, "334 ");
    if (is(line, "AUTH LOGIN")) return begin(Step::login_name, line, "334 VXNlcm5hbWU6");
    if (is(line, "RSET")) recipients_ = 0;
    if (is(line, "RSET") || is(line, "NOOP")) return reply("250 2.0.0 OK");
    if (!is(line, "QUIT")) return refuse("500 5.5.1 Unknown command");
    ended = true;
    reply("221 2.0.0 Bye");
  }

  void mail() {
    if (options_.auth && !account_) return refuse("530 5.7.0 Log in first");
    recipients_ = 0;
    reply("250 2.1.0 OK");
  }

  void recipient() {
    ++recipients_;
    reply("250 2.1.5 OK");
  }

  void data() {
    if (recipients_ == 0) return refuse("503 5.5.1 No recipients");
    step_ = Step::content;
    in_header_ = true;
    token_.reset();
    reply("354 Go on");
  }

  void refuse(std::string_view text) {
    ++counts_.refused;
    reply(text);
  }

  void capabilities() {
    reply("250-sink.example");
    if (!options_.lockstep) reply("250-PIPELINING");
    if (options_.tls == "starttls" && !wire.secure()) reply("250-STARTTLS");
    if (options_.auth && (options_.tls == "none" || wire.secure())) reply("250-AUTH PLAIN LOGIN");
    reply("250-SIZE 104857600");
    reply("250-8BITMIME");
    reply("250 ENHANCEDSTATUSCODES");
  }

  // AUTH with or without an initial response (RFC 4954).
  void begin(Step step, std::string_view line, std::string_view challenge) {
    constexpr std::size_t verb = std::string_view("AUTH PLAIN").size();
    step_ = step;
    if (line.size() > verb + 1) return answer(line.substr(verb + 1));
    reply(challenge);
  }

  void log_in(const std::string& name) {
    step_ = Step::command;
    account_ = &counts_.accounts[name];
    ++counts_.authentications;
    reply("235 2.7.0 OK");
  }

  void content(std::string_view line) {
    counts_.octets += line.size() + 2;
    if (line == ".") return finish();
    if (!in_header_) return;
    if (line.empty()) in_header_ = false;
    if (!token_) token_ = Token::read(line);
  }

  void finish() {
    const std::uint64_t time = now();
    counts_.arrived(time);
    counts_.recipients += std::exchange(recipients_, 0);
    if (account_) ++*account_;
    if (token_) counts_.number(*token_, time);
    step_ = Step::command;
    reply("250 2.0.0 Taken");
  }

  const Options& options_;
  Counts& counts_;
  std::shared_ptr<net::TlsServerContext> tls_;
  Step step_ = Step::command;
  std::uint64_t* account_ = nullptr;
  std::string account_name_;
  std::uint64_t recipients_ = 0;
  bool in_header_ = false;
  std::optional<Token> token_;
};

// --- all of them ---

class Sink {
 public:
  explicit Sink(const Options& options) : options_(options), listener_(listen_on(options.port)) {
    if (options.tls != "none") {
      auto context = net::TlsServerContext::create({{options.certificate, options.key}});
      if (!context) throw std::runtime_error(context.error());
      tls_ = *context;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    signals_ = ::signalfd(-1, &signals, SFD_CLOEXEC);
    poll_.watch(listener_, &listener_);
    poll_.watch(signals_, &signals_);
    if (!options.control.empty()) listen_for_control();
  }

  void run() {
    fmt::print("{}\n", nlohmann::json{{"port", port_of(listener_)}}.dump());
    std::fflush(stdout);
    for (bool ended = false; !ended;) {
      for (const epoll_event& event : poll_.wait(delayed_.empty() ? 0 : delayed_.front().due)) {
        if (event.data.ptr == &signals_)
          ended = true;
        else if (event.data.ptr == &listener_)
          accept();
        else if (event.data.ptr == &control_)
          tell();
        else
          serve(*static_cast<Session*>(event.data.ptr), event.events);
      }
      release();
      closed_.clear();
    }
    fmt::print("{}\n", counted().dump());
  }

 private:
  // What leaves later, so that the line feels as long as --rtt says.
  struct Delayed {
    std::uint64_t due;
    std::uint64_t session;
    std::string bytes;
  };

  void listen_for_control() {
    control_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    options_.control.copy(address.sun_path, sizeof address.sun_path - 1);
    ::unlink(address.sun_path);
    if (::bind(control_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(control_, SOMAXCONN) != 0)
      fail("cannot listen on " + options_.control);
    poll_.watch(control_, &control_);
  }

  void accept() {
    int descriptor;
    while ((descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
      const std::uint64_t id = ++counts_.connections;
      auto session = std::make_unique<Session>(options_, counts_, tls_, poll_, descriptor, id);
      Session& opened = *sessions_.emplace(id, std::move(session)).first->second;
      counts_.connections_peak = std::max<std::uint64_t>(counts_.connections_peak, sessions_.size());
      if (!send(opened)) close(opened);
    }
  }

  void serve(Session& session, std::uint32_t events) {
    const bool readable = events & (EPOLLIN | EPOLLHUP | EPOLLERR);
    if (readable && !(session.readable() && send(session))) return close(session);
    if ((events & EPOLLOUT) && !session.wire.flush()) return close(session);
    if (session.ended && session.delayed == 0) close(session);
  }

  // What arrived together is answered together, one round trip later. The first reply is later by one more:
  // on a real line the client has waited one for the connection, which loopback gave it at once.
  bool send(Session& session) {
    if (options_.rtt == 0) return session.wire.flush();
    std::string bytes = session.wire.take();
    if (bytes.empty()) return true;
    const unsigned trips = std::exchange(session.spoke, true) ? 1 : 2;
    const Delayed delayed{now() + std::uint64_t{options_.rtt} * trips * 1'000'000, session.id,
                          std::move(bytes)};
    const auto later = [](const Delayed& one, const Delayed& other) { return one.due < other.due; };
    delayed_.insert(std::upper_bound(delayed_.begin(), delayed_.end(), delayed, later), delayed);
    ++session.delayed;
    return true;
  }

  void release() {
    while (!delayed_.empty() && delayed_.front().due <= now()) {
      const Delayed due = std::move(delayed_.front());
      delayed_.pop_front();
      const auto found = sessions_.find(due.session);
      if (found == sessions_.end()) continue;
      Session& session = *found->second;
      --session.delayed;
      session.wire.put(due.bytes);
      if (!session.wire.flush() || (session.ended && session.delayed == 0)) close(session);
    }
  }

  // It is destroyed after this turn: an event may still name it.
  void close(Session& session) {
    const auto found = sessions_.find(session.id);
    if (found == sessions_.end()) return;
    closed_.push_back(std::move(found->second));
    sessions_.erase(found);
  }

  void tell() {
    const int client = ::accept4(control_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    const std::string text = counted().dump();
    [[maybe_unused]] const ssize_t sent = ::send(client, text.data(), text.size(), MSG_NOSIGNAL);
    ::close(client);
  }

  nlohmann::json counted() const {
    return {{"messages", counts_.messages},
            {"recipients", counts_.recipients},
            {"octets", counts_.octets},
            {"distinct", counts_.distinct},
            {"duplicates", counts_.duplicates},
            {"connections", counts_.connections},
            {"connections_peak", counts_.connections_peak},
            {"handshakes", {{"full", counts_.full}, {"resumed", counts_.resumed}}},
            {"authentications", counts_.authentications},
            {"refused", counts_.refused},
            {"accounts", counts_.accounts},
            {"first", counts_.first},
            {"last", counts_.last},
            {"transit_us", counts_.transit.summary()},
            {"cpu_seconds", seconds(cpu_time())}};
  }

  const Options options_;
  Counts counts_;
  std::shared_ptr<net::TlsServerContext> tls_;
  Poll poll_;
  int listener_;
  int signals_ = -1;
  int control_ = -1;
  std::unordered_map<std::uint64_t, std::unique_ptr<Session>> sessions_;
  std::vector<std::unique_ptr<Session>> closed_;
  std::deque<Delayed> delayed_;  // by due time
};

}  // namespace
}  // namespace relayd::bench

int main(int argc, char** argv) try {
  relayd::bench::Options options;
  CLI::App app("An SMTP server that counts what it takes and throws it away");
  app.add_option("--port", options.port, "Loopback port; 0: the kernel chooses");
  app.add_option("--tls", options.tls, "none, starttls or implicit")
      ->check(CLI::IsMember({"none", "starttls", "implicit"}));
  app.add_option("--certificate", options.certificate, "PEM file");
  app.add_option("--key", options.key, "PEM file");
  app.add_flag("--auth", options.auth, "Demand AUTH; any password will do");
  app.add_flag("--lockstep", options.lockstep, "Offer no PIPELINING");
  app.add_option("--rtt", options.rtt, "Milliseconds of a round trip");
  app.add_option("--control", options.control, "A unix socket that tells what was counted so far");
  CLI11_PARSE(app, argc, argv);
  relayd::bench::Sink(options).run();
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "sink: {}\n", error.what());
  return 1;
}
