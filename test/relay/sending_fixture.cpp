#include "relay/sending_fixture.hpp"

#include <fmt/format.h>

namespace relayd::test {

async::Task<void> SendingFixture::hand_in_one(std::string sender, std::string body) {
  queue::Envelope envelope;
  envelope.sender = envelope.routing_sender = sender;
  envelope.recipients.push_back({"b@example.org", "", ""});
  co_await commit_task(body, std::move(envelope));
  ++handed_in_;
}

void SendingFixture::hand_in(const std::string& sender, int count) {
  async::Scope scope;
  const int target = handed_in_ + count;
  for (int i = 0; i < count; ++i) scope.spawn(hand_in_one(sender, fmt::format("{}\r\n", i)));
  loop.run_until([&] { return handed_in_ == target; });
}

}  // namespace relayd::test
