// FakeUpstream: an SMTP server in memory that takes whatever comes, for tests of many messages and no
// transcript.
//
// It answers each command at once, pipelined or not, knows AUTH PLAIN, and notes what it took, from whom and
// when. Time is the ManualLoop's. It is its own dialer and outlives the streams.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "shared/async/dialer.hpp"
#include "support/manual_loop.hpp"

namespace relayd::test {

class FakeUpstream final : public async::Dialer {
 public:
  static constexpr std::string_view silence = "silence";

  struct Taken {
    std::string account;  // that had logged in
    std::string sender;
    std::vector<std::string> recipients;
    std::string content;
    SteadyTime when;
    std::size_t connections = 0;  // open at that time
  };

  explicit FakeUpstream(ManualLoop& loop) : loop_(loop) {}

  async::Task<std::unique_ptr<async::Stream>> dial(const std::string& host, std::uint16_t port,
                                                   const async::TlsPolicy& policy, Deadline deadline,
                                                   std::stop_token stop) override;

  bool down = false;               // nobody answers at its ports
  std::set<std::uint16_t> closed;  // ports where nobody answers
  // Asked before each reply: the command line ("MAIL FROM:<a@b>", "." for the content, "" for the greeting)
  // and the account; a reply of its own, or "" for the usual one. "421…" closes; `silence` says nothing.
  std::function<std::string(std::string_view command, const std::string& account)> answer;

  std::vector<Taken> taken;
  std::size_t dials = 0;
  std::size_t connections = 0;  // open now

 private:
  class Session;
  ManualLoop& loop_;
};

}  // namespace relayd::test
