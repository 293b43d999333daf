// lanes DIRECTORY [LANES]: what it costs a relay that somebody looks at ten thousand lanes.
//
// A relay, an upstream and a client on loopback, in one process. Each lane has sent a message, as an account
// of its own; then the relay's window is asked as Prometheus, scripts and the page do. README.md says how to
// read it.
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <fstream>
#include <functional>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "measure.hpp"
#include "relay/relay.hpp"
#include "smtp/wire.hpp"

namespace relayd::bench {
namespace {

using namespace std::chrono_literals;

constexpr int rounds = 20;

// A connected socket that blocks, read line by line or to its end.
class Connection {
 public:
  explicit Connection(int descriptor) : descriptor_(descriptor), input_(::fdopen(descriptor, "r")) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { std::fclose(input_); }

  static Connection to_port(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return Connection(connected(AF_INET, address));
  }
  static Connection to_path(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return Connection(connected(AF_UNIX, address));
  }

  void say(const std::string& text) {
    if (::write(descriptor_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) fail("write");
  }
  // Empty: the other end is gone.
  std::string line() {
    char text[1024];
    return std::fgets(text, sizeof text, input_) ? text : "";
  }
  // The last line of a reply of SMTP.
  void expect(char first) {
    std::string text = line();
    while (text.size() > 3 && text[3] == '-') text = line();
    if (text.empty() || text[0] != first) throw std::runtime_error("an answer is: " + text);
  }
  std::string rest() {
    std::string all;
    char piece[64 << 10];
    while (const std::size_t count = std::fread(piece, 1, sizeof piece, input_)) all.append(piece, count);
    return all;
  }

 private:
  template <class Address>
  static int connected(int family, const Address& address) {
    const int descriptor = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      fail("connect");
    return descriptor;
  }

  int descriptor_;
  std::FILE* input_;
};

// An upstream that takes one message a connection.
class Upstream {
 public:
  Upstream() : listener_(listen_on(0)) {
    ::fcntl(listener_, F_SETFL, 0);  // it blocks
    std::thread([this] {
      for (;;)
        if (const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC); descriptor >= 0)
          std::thread(serve, descriptor).detach();
    }).detach();
  }
  std::uint16_t port() const { return port_of(listener_); }

 private:
  static void serve(int descriptor) {
    Connection client(descriptor);
    client.say("220 upstream.example\r\n");
    for (std::string line = client.line(); !line.empty(); line = client.line()) {
      if (line.starts_with("EHLO")) {
        client.say(
            "250-upstream.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 26214400\r\n250 AUTH "
            "PLAIN\r\n");
      } else if (line.starts_with("AUTH")) {
        client.say("235 2.7.0 Welcome\r\n");
      } else if (line.starts_with("DATA")) {
        client.say("354 Go\r\n");
        while (!line.empty() && line != ".\r\n") line = client.line();
        return client.say("250 2.0.0 Taken\r\n");
      } else {
        client.say("250 2.0.0 Ok\r\n");
      }
    }
  }

  int listener_;
};

std::string sender(std::size_t number) {
  return fmt::format("app@tenant-{}.example.com", number);
}

// Each sender has an account of its own, with a rate and two quotas.
Setup make_setup_of(const std::string& directory, std::size_t lanes, std::uint16_t port) {
  const auto write = [&directory](const std::string& name, const std::string& text) {
    std::ofstream(directory + "/" + name) << text;
    ::chmod((directory + "/" + name).c_str(), 0600);
  };
  std::string rows = "match,upstream,username,password\n";
  for (std::size_t i = 0; i < lanes; ++i) rows += fmt::format("{0},office,{0},secret\n", sender(i));
  write("rows", rows);
  write("relayd.yaml", fmt::format(R"(hostname: relay.example.com
listen: [{{address: "127.0.0.1:0"}}]
http: {{address: "unix:{0}/http"}}
upstreams:
  office:
    host: 127.0.0.1
    port: {1}
    tls: none
    limits: {{rate: 14/s, quota: [50000/24h, 200000/month]}}
senders_file: {0}/rows
queue: {{directory: {0}/queue, reserve: 1MiB}}
log: {{level: error}}
confinement: false
)",
                                   directory, port));
  SetupResult made = make_setup(directory + "/relayd.yaml");
  if (!made.setup) throw std::runtime_error(to_string(made.errors.front()));
  return std::move(*made.setup);
}

// How long the loop works at most before others have their turn, in processor time of its thread. It keeps
// the loop busy, so nothing else is measured meanwhile. All on the loop's thread.
class Pulse {
 public:
  explicit Pulse(async::Loop& loop) : timer_(loop), loop_(loop) {}

  void start() {
    longest_ = {};
    last_ = spent();
    beat();
  }
  Duration stop() {
    timer_.cancel();
    return longest_;
  }

 private:
  static Duration spent() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }
  void beat() {
    timer_.at(loop_.now(), [this] {
      const Duration now = spent();
      longest_ = std::max(longest_, now - last_);
      last_ = now;
      beat();
    });
  }

  async::Timer timer_;
  async::Loop& loop_;
  Duration last_{};
  Duration longest_{};
};

// The most memory that the process has had since forget_peak().
void forget_peak() {
  std::ofstream("/proc/self/clear_refs") << 5;
}
Bytes peak() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("VmHWM:")) return {std::stoull(line.substr(6)) << 10};
  return {0};
}

class Bench {
 public:
  Bench(const std::string& directory, std::size_t lanes)
      : directory_(directory),
        lanes_(lanes),
        log_(::open("/dev/null", O_WRONLY | O_CLOEXEC), telemetry::Log::Format::json, telemetry::Level::error,
             telemetry::Log::Addresses::full),
        relay_(loop_, log_, make_setup_of(directory, lanes, upstream_.port())) {}

  void run() {
    relay_.subscribe({.attempted = [this](const tell::Outcome& outcome) {
      if (outcome.fate == tell::Fate::delivered && ++delivered_ == lanes_) all_delivered_.set_value();
    }});
    relay_.listen();
    relay_.start([this](const std::string& failure) {
      if (!failure.empty()) throw std::runtime_error(failure);
      opened_.set_value();
    });
    std::exception_ptr failure;
    std::thread client([this, &failure] {
      try {
        opened_.get_future().wait();
        use_lanes();
        measure();
      } catch (...) {
        failure = std::current_exception();
      }
      loop_.post([this] { scope_.spawn(stop()); });
    });
    loop_.run();
    client.join();
    if (failure) std::rethrow_exception(failure);
  }

 private:
  void use_lanes() {
    const std::string address = relay_.addresses().front();
    Connection relay =
        Connection::to_port(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    relay.expect('2');
    relay.say("EHLO client.example\r\n");
    relay.expect('2');
    for (std::size_t i = 0; i < lanes_; ++i) {
      relay.say(fmt::format("MAIL FROM:<{}>\r\nRCPT TO:<ann@customer.example>\r\nDATA\r\n", sender(i)));
      for (const char first : {'2', '2', '3'}) relay.expect(first);
      relay.say("Subject: x\r\n\r\ntext\r\n.\r\n");
      relay.expect('2');
    }
    if (all_delivered_.get_future().wait_for(60s) != std::future_status::ready)
      throw std::runtime_error("not all messages were delivered within a minute");
  }

  std::string ask(const std::string& path, const std::string& accept) const {
    Connection window = Connection::to_path(directory_ + "/http");
    window.say(fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\nAccept: {}\r\nConnection: close\r\n\r\n",
                           path, accept));
    std::string answer = window.rest();
    if (!answer.starts_with("HTTP/1.1 200 ")) throw std::runtime_error(answer.substr(0, 200));
    return answer;
  }

  // On the loop's thread, and waits for it.
  template <class Work>
  auto on_loop(Work work) {
    std::promise<std::invoke_result_t<Work>> done;
    loop_.post([&done, &work] {
      if constexpr (std::is_void_v<std::invoke_result_t<Work>>)
        work(), done.set_value();
      else
        done.set_value(work());
    });
    return done.get_future().get();
  }

  void measure() {
    fmt::print("{} lanes, {} MiB, load {:.1f}\n", lanes_, resident().count >> 20, load());
    measure("/metrics", "text/plain");
    measure("/metrics", "application/openmetrics-text; version=1.0.0");
    measure("/api/lanes", "*/*");
    measure("/status.json", "*/*");
  }

  void measure(const std::string& path, const std::string& accept) {
    std::size_t octets = ask(path, accept).size();
    const Bytes before = resident();
    forget_peak();
    std::vector<double> times;
    for (int i = 0; i < rounds; ++i) {
      const SteadyTime begun = std::chrono::steady_clock::now();
      octets = ask(path, accept).size();
      times.push_back(since(begun) * 1000);
    }
    const Bytes most = peak();
    on_loop([this] { pulse_.start(); });
    for (int i = 0; i < rounds; ++i) ask(path, accept);
    const Duration turn = on_loop([this] { return pulse_.stop(); });
    fmt::print(
        "  {:<12} {:<16} median {:5.1f} ms, worst {:5.1f} ms; longest turn {:.2f} ms; {} MiB before, {} MiB "
        "at "
        "most; {} octets\n",
        path, accept.substr(0, accept.find(';')).substr(accept.find('/') + 1), median(times),
        std::ranges::max(times), seconds(turn) * 1000, before.count >> 20, most.count >> 20, octets);
  }

  async::Task<void> stop() {
    co_await relay_.shut_down(loop_.now() + 10s);
    loop_.stop();
  }

  const std::string directory_;
  const std::size_t lanes_;
  Upstream upstream_;
  net::AsioLoop loop_;
  telemetry::Log log_;
  Relay relay_;
  Pulse pulse_{loop_};
  async::Scope scope_;
  std::size_t delivered_ = 0;
  std::promise<void> opened_, all_delivered_;
};

}  // namespace
}  // namespace relayd::bench

int main(int count, char** arguments) {
  if (count < 2) return 64;
  std::signal(SIGPIPE, SIG_IGN);
  fmt::print("{}\n", relayd::bench::machine());
  try {
    relayd::bench::Bench(arguments[1], count > 2 ? std::strtoul(arguments[2], nullptr, 10) : 10'000).run();
  } catch (const std::exception& error) {
    fmt::print(stderr, "lanes: {}\n", error.what());
    return 1;
  }
}
