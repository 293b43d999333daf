// Conversation: commands and replies of an SMTP client over a stream, one connection's worth.
//
// Fifth stage of the path; owned by SmtpTransport, used by the parts of its dialogue. It knows octets,
// replies and patience, and no order of commands. Failures are IoError.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "send/delivery.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/stream.hpp"
#include "shared/smtp/reply.hpp"

namespace relayd::send {

// How long each answer may take (RFC 5321 4.5.3.2). Connecting is ours: a port that a firewall swallows must
// not hold a lane for long.
namespace patience {
using namespace std::chrono_literals;
constexpr Duration connect = 30s;
constexpr Duration greeting = 5min;
constexpr Duration tls = 1min;
constexpr Duration login = 2min;
constexpr Duration envelope = 5min;
constexpr Duration data = 2min;
constexpr Duration block = 3min;
constexpr Duration final_dot = 10min;
constexpr Duration behind_dot = 5s;  // ours: no content is on its way, and another connection can ask again
constexpr Duration last_words = 5s;
constexpr Duration quit = 5s;
}  // namespace patience

class Conversation {
 public:
  explicit Conversation(async::Loop& loop) : loop_(loop) {}

  // Over this stream from now on, as if there had been none before.
  void begin(std::unique_ptr<async::Stream> stream);
  bool connected() const { return stream_ != nullptr; }
  async::Stream& stream() { return *stream_; }
  const async::TlsFacts& tls() const;
  void close();

  async::Task<smtp::Reply> command(std::string line, Duration patience);
  async::Task<smtp::Reply> read_reply(Duration patience);
  async::Task<void> write(std::string_view bytes, Duration patience);
  // Something has come that nobody has read.
  bool has_unread() const { return !received_.empty(); }

  Deadline within(Duration patience) const { return loop_.now() + patience; }

  // What the dialogue is at; every event is reported with it.
  smtp::Stage stage = smtp::Stage::connect;
  Event trouble_of(const async::IoError& error) const;

 private:
  async::Loop& loop_;
  std::unique_ptr<async::Stream> stream_;
  smtp::ReplyParser parser_;
  std::string received_;  // what came and was not read yet
  std::string buffer_;    // what is read into
};

}  // namespace relayd::send
