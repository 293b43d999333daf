// AsioLoop: the process's event loop, on one asio::io_context.
//
// Owned by main (or a test); everything else sees async::Loop. run() belongs to one thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "shared/async/loop.hpp"

namespace asio {
class io_context;
}

namespace relayd::net {

class AsioLoop final : public async::Loop {
 public:
  AsioLoop();
  ~AsioLoop() override;

  SteadyTime now() const override;
  WallTime wall_now() const override;
  void post(Callback callback) override;
  TimerId call_at(SteadyTime when, Callback callback) override;
  void cancel(TimerId id) override;

  // Runs until stop().
  void run();
  // From any thread.
  void stop();

  // Calls back on the loop's thread for each of these signals. One registration a process.
  void on_signal(std::vector<int> signals, std::function<void(int)> callback);

  // For shared/net.
  asio::io_context& context();

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace relayd::net
