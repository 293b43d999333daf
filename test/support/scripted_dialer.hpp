// ScriptedDialer: hands a dialogue the peers that a test has prepared, or the failure to reach one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "shared/async/dialer.hpp"
#include "support/scripted_stream.hpp"

namespace relayd::test {

class ScriptedDialer final : public async::Dialer {
 public:
  // Chooses who is reached, or throws IoError.
  using Choose = std::function<ScriptedPeer&(const std::string& host, std::uint16_t port)>;

  ScriptedDialer(ManualLoop& loop, Choose choose) : loop_(loop), choose_(std::move(choose)) {}

  async::Task<std::unique_ptr<async::Stream>> dial(const std::string& host, std::uint16_t port,
                                                   const async::TlsPolicy& policy, Deadline,
                                                   std::stop_token) override {
    ports.push_back(port);
    policies.push_back(policy);
    co_await async::sleep_until(loop_, loop_.now());
    co_return choose_(host, port).connect();
  }

  bool leave(const std::string&, const std::string& address) override {
    left.push_back(address);
    return left.size() < addresses;
  }

  std::vector<std::uint16_t> ports;  // of each attempt
  std::vector<std::string> left;     // addresses that refused to talk
  std::size_t addresses = 1;         // that a host has
  std::vector<async::TlsPolicy> policies;

 private:
  ManualLoop& loop_;
  Choose choose_;
};

}  // namespace relayd::test
