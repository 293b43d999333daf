// BatchStream: a file of the drop folder as the client of a server session.
//
// Joins drop and accept. It says what the file says, one command at a time. A recipient who is refused for
// good is left out; it stops at the first other reply that refuses, also of a recipient for now, so that no
// message is taken twice. Owned by its session; what it found is in the Outcome, which outlives it. Reads on
// a worker.
#pragma once

#include <cstdint>
#include <string>

#include "drop/batch.hpp"
#include "drop/folder.hpp"
#include "shared/async/stream.hpp"
#include "shared/async/workers.hpp"
#include "shared/smtp/data.hpp"
#include "shared/smtp/reply.hpp"

namespace relayd {

class BatchStream final : public async::Stream {
 public:
  struct Outcome {
    bool taken = false;   // the final dot was answered with 2xx: the queue has it, but for recipients refused
    smtp::Reply refusal;  // else the reply that refused it; code 0: none did
    std::string fault;    // or why the file is no batch
  };

  BatchStream(async::Workers& workers, drop::File file, std::string helo, Outcome& outcome);

  async::Task<std::size_t> read_some(std::span<char> buffer, Deadline deadline) override;
  async::Task<void> write(std::string_view bytes, Deadline deadline) override;
  async::Task<void> start_tls(Deadline deadline) override;
  const async::TlsFacts& tls() const override { return tls_; }
  const std::string& peer() const override { return peer_; }
  void interrupt() override {}
  void close() override { closed_ = true; }

 private:
  async::Task<void> fill();
  bool take_line();
  void take_content();
  void read_reply(const smtp::Reply& reply);

  async::Workers& workers_;
  drop::File file_;
  Outcome& outcome_;
  std::uint64_t left_;  // of the file as it was when it was opened: it may grow, and is not followed
  const async::TlsFacts tls_;
  std::string peer_;
  smtp::ReplyParser replies_;
  drop::HeadReader head_;
  smtp::DataDecoder decoder_;  // to know where the message ends
  std::string said_;           // on its way to the session
  std::string pending_;        // read from the file
  bool going_on_ = false;      // the last command was welcome
  bool data_ = false;          // and it was DATA
  bool rcpt_ = false;          // or RCPT
  bool has_recipient_ = false;
  smtp::Reply refused_;  // of a recipient, for good: the first; code 0: none was
  bool closed_ = false;
};

}  // namespace relayd
