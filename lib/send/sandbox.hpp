// Sandbox: the upstream for development. Takes everything, keeps each message as ID.eml with its envelope
// beside it as ID.json (ID-2 and so on for the parts of a message that has very many recipients), and sends
// nothing.
#pragma once

#include <string>

#include "send/local_transport.hpp"

namespace relayd::send {

class Sandbox final : public LocalTransport {
 public:
  // The directory is made when it is not there. `username` is noted in the JSON, as the account that would
  // have been used.
  Sandbox(async::Loop& loop, async::Workers& workers, std::string directory, std::string username);

  async::Task<std::optional<Event>> open() override;
  async::Task<Report> send(Delivery& delivery, Follow& follow) override;
  Report describe() const override;

 private:
  std::string directory_;
  std::string username_;
};

}  // namespace relayd::send
