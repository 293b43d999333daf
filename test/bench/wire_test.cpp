#include "bench/smtp/wire.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

namespace relayd::bench {
namespace {

// A wire, and the other end of its connection.
class WireTest : public testing::Test {
 protected:
  WireTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
    wire_ = std::make_unique<Wire>(poll_, ends[0], this);
    peer_ = ends[1];
  }
  ~WireTest() override { ::close(peer_); }

  void say(std::string_view text) {
    ASSERT_EQ(::send(peer_, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    ASSERT_TRUE(wire_->receive());
  }

  std::string heard() {
    std::string text(1 << 20, '\0');
    const ssize_t count = ::recv(peer_, text.data(), text.size(), 0);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return text;
  }

  Poll poll_;
  std::unique_ptr<Wire> wire_;
  int peer_ = -1;
};

TEST_F(WireTest, GivesOnlyWholeLines) {
  say("220 one\r\n250-tw");
  EXPECT_EQ(wire_->line(), "220 one");
  EXPECT_EQ(wire_->line(), std::nullopt);
  say("o\r\n\r\n");
  EXPECT_EQ(wire_->line(), "250-two");
  EXPECT_EQ(wire_->line(), "");
  EXPECT_EQ(wire_->line(), std::nullopt);
}

TEST_F(WireTest, NothingLeavesBeforeItIsFlushed) {
  wire_->write("MAIL\r\n");
  EXPECT_EQ(heard(), "");
  EXPECT_TRUE(wire_->flush());
  EXPECT_EQ(heard(), "MAIL\r\n");
}

TEST_F(WireTest, TheRestLeavesWhenThereIsRoom) {
  const std::string much(4 << 20, 'x');
  wire_->write(much);
  EXPECT_TRUE(wire_->flush());
  std::size_t received = heard().size();
  ASSERT_LT(received, much.size());
  while (received < much.size()) {
    ASSERT_EQ(poll_.wait(now() + 10'000'000'000).front().events & EPOLLOUT, EPOLLOUT);
    ASSERT_TRUE(wire_->flush());
    received += heard().size();
  }
  EXPECT_EQ(received, much.size());
}

TEST_F(WireTest, KnowsWhenThePeerIsGone) {
  ::shutdown(peer_, SHUT_RDWR);
  EXPECT_FALSE(wire_->receive());
}

}  // namespace
}  // namespace relayd::bench
