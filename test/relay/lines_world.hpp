// Upstreams that fail as they please, for the random model of Lines.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "shared/async/dialer.hpp"
#include "shared/async/stream.hpp"
#include "support/manual_loop.hpp"

namespace relayd::test {

using namespace std::chrono_literals;
using async::IoError;
using async::IoFault;
using async::Task;

enum class Mode {
  ok,
  refuse,
  silent,
  greeting_421,
  mail_450_rate,
  mail_421,
  mail_451,
  cut_at_dot,
  rcpt_450,
  cut_at_mail,
  conn_421,
  auth_535,
  auth_421,
  modes
};

struct Site {
  Mode mode = Mode::ok;
  int connections = 0;
  int most = 0;
  unsigned dials = 0;
};

struct World {
  explicit World(test::ManualLoop& manual) : loop(manual) {}
  test::ManualLoop& loop;
  std::mt19937 random{1};
  std::map<std::uint16_t, Site> sites;
  std::map<std::string, int> taken;  // "body rcpt"
  std::vector<std::string> takings;
  std::set<std::string> accounts;  // AUTH lines that were heard
  std::set<std::string> locked;    // of these, that are refused
  bool slow = true;
  int pick(int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); }
  Duration latency() { return slow ? std::chrono::milliseconds(pick(150)) : 0ms; }
};

class FakeServer final : public async::Stream {
 public:
  FakeServer(World& world, std::uint16_t port)
      : world_(world), site_(world.sites[port]), port_(port), timer_(world.loop) {
    ++site_.connections;
    site_.most = std::max(site_.most, site_.connections);
    mode_ = site_.mode;
    if (mode_ == Mode::silent) return;
    if (mode_ == Mode::greeting_421 || mode_ == Mode::conn_421) {
      say(mode_ == Mode::conn_421 ? "421 4.7.0 too many connections\r\n" : "421 4.3.2 not now\r\n");
      ends_ = true;
      return;
    }
    say("220 x\r\n");
  }
  ~FakeServer() override { --site_.connections; }

  Task<std::size_t> read_some(std::span<char> buffer, Deadline deadline) override {
    for (;;) {
      if (closed_) throw IoError(IoFault::cancelled, "closed");
      if (std::exchange(interrupted_, false)) throw IoError(IoFault::cancelled, "interrupted");
      if (!out_.empty() && ready_ <= world_.loop.now()) {
        const std::size_t count = std::min(buffer.size(), out_.size());
        std::copy_n(out_.begin(), count, buffer.begin());
        out_.erase(0, count);
        co_return count;
      }
      if (out_.empty() && ends_) co_return 0;
      if (deadline <= world_.loop.now()) throw IoError(IoFault::timed_out, "late");
      async::Event over;
      async::Timer timer(world_.loop);
      const SteadyTime until = out_.empty() ? SteadyTime(deadline) : std::min<SteadyTime>(deadline, ready_);
      timer.at(until, [&over] { over.set(); });
      reading_ = &timer;
      over_ = &over;
      co_await over;
      reading_ = nullptr;
      over_ = nullptr;
    }
  }
  Task<void> write(std::string_view bytes, Deadline) override {
    if (closed_) throw IoError(IoFault::cancelled, "closed");
    in_ += bytes;
    hear();
    wake();
    co_await async::sleep_until(world_.loop, world_.loop.now());
    if (closed_) throw IoError(IoFault::cancelled, "closed");
  }
  Task<void> start_tls(Deadline) override { throw IoError(IoFault::tls, "none"); }
  const async::TlsFacts& tls() const override { return facts_; }
  const std::string& peer() const override { return peer_; }
  void interrupt() override {
    if (!reading_) return;
    interrupted_ = true;
    wake();
  }
  void close() override {
    closed_ = true;
    wake();
  }

 private:
  void wake() {
    if (reading_)
      reading_->at(
          std::max(world_.loop.now(), closed_ || interrupted_ || out_.empty() ? world_.loop.now() : ready_),
          [over = over_] { over->set(); });
  }
  void say(const std::string& text) {
    if (out_.empty()) ready_ = world_.loop.now() + world_.latency();
    out_ += text;
  }
  void hear() {
    for (;;) {
      const std::size_t end = in_.find("\r\n");
      if (end == std::string::npos || ends_ || mode_ == Mode::silent) return;
      const std::string line = in_.substr(0, end);
      in_.erase(0, end + 2);
      hear_line(line);
    }
  }
  void hear_line(const std::string& line) {
    mode_ = site_.mode;
    if (in_data_) {
      if (line != ".") {
        body_ += line;
        return;
      }
      in_data_ = false;
      if (mode_ == Mode::cut_at_dot) {
        ends_ = true;
        out_.clear();
        return;
      }
      if (mode_ == Mode::mail_451) return say("451 4.3.0 later\r\n");
      for (const std::string& to : recipients_) {
        ++world_.taken[body_ + " " + to];
        world_.takings.push_back(body_ + " " + to);
      }
      return say("250 2.0.0 Ok\r\n");
    }
    if (line.starts_with("EHLO")) return say("250-x\r\n250-AUTH PLAIN\r\n250 PIPELINING\r\n");
    if (line.starts_with("AUTH")) {
      if (mode_ == Mode::auth_535 || world_.locked.contains(line)) return say("535 5.7.8 wrong\r\n");
      if (mode_ == Mode::auth_421) {
        say("421 4.3.2 not now\r\n");
        ends_ = true;
        return;
      }
      world_.accounts.insert(line);
      return say("235 2.7.0 Ok\r\n");
    }
    if (line.starts_with("MAIL")) {
      recipients_.clear();
      body_.clear();
      mail_ = false;
      if (mode_ == Mode::mail_450_rate) return say("450 4.7.1 rate limit exceeded\r\n");
      if (mode_ == Mode::mail_421 || mode_ == Mode::cut_at_mail) {
        if (mode_ == Mode::mail_421) say("421 4.3.2 shutting down\r\n");
        ends_ = true;
        return;
      }
      mail_ = true;
      return say("250 Ok\r\n");
    }
    if (line.starts_with("RCPT")) {
      if (!mail_) return say("503 5.5.1 no MAIL\r\n");
      if (mode_ == Mode::rcpt_450) return say("450 4.2.1 busy\r\n");
      const std::size_t from = line.find('<');
      recipients_.push_back(line.substr(from + 1, line.find('>') - from - 1));
      return say("250 Ok\r\n");
    }
    if (line.starts_with("DATA")) {
      if (recipients_.empty()) return say("503 5.5.1 no recipients\r\n");
      in_data_ = true;
      body_.clear();
      return say("354 Go\r\n");
    }
    if (line.starts_with("RSET")) return say("250 Ok\r\n");
    if (line.starts_with("QUIT")) {
      say("221 Bye\r\n");
      ends_ = true;
      return;
    }
    say("500 what\r\n");
  }

  World& world_;
  Site& site_;
  std::uint16_t port_;
  async::Timer timer_;
  Mode mode_;
  async::Timer* reading_ = nullptr;
  async::Event* over_ = nullptr;
  std::string out_, in_, body_;
  SteadyTime ready_{};
  std::vector<std::string> recipients_;
  bool ends_ = false, closed_ = false, interrupted_ = false, in_data_ = false, mail_ = false;
  async::TlsFacts facts_;
  std::string peer_ = "127.0.0.1";
};

class FakeDialer final : public async::Dialer {
 public:
  explicit FakeDialer(World& world) : world_(world) {}
  Task<std::unique_ptr<async::Stream>> dial(const std::string&, std::uint16_t port, const async::TlsPolicy&,
                                            Deadline, std::stop_token) override {
    ++world_.sites[port].dials;
    co_await async::sleep_until(world_.loop, world_.loop.now() + world_.latency());
    if (world_.sites[port].mode == Mode::refuse) throw IoError(IoFault::refused, "refused");
    co_return std::make_unique<FakeServer>(world_, port);
  }

 private:
  World& world_;
};

}  // namespace relayd::test
