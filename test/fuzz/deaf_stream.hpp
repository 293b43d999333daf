// DeafStream: a peer that says what it has to say, whatever it is told.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "shared/async/stream.hpp"

namespace relayd::fuzz {

class DeafStream final : public async::Stream {
 public:
  static constexpr std::size_t everything = std::string_view::npos;

  // What it was told; it outlives the stream.
  struct Heard {
    std::string text;
    std::size_t clear = everything;  // octets before TLS
  };

  // Says a line at once, and never more octets than `piece`; or else everything at once.
  DeafStream(std::string_view words, std::size_t piece, Heard& heard)
      : rest_(words), piece_(piece), heard_(heard) {}

  async::Task<std::size_t> read_some(std::span<char> buffer, Deadline) override {
    const std::size_t line = piece_ == everything ? 0 : rest_.find('\n') + 1;
    const std::size_t count =
        std::min({buffer.size(), rest_.size(), piece_, line == 0 ? rest_.size() : line});
    std::copy_n(rest_.begin(), count, buffer.begin());
    rest_.remove_prefix(count);
    co_return count;
  }
  async::Task<void> write(std::string_view bytes, Deadline) override {
    heard_.text += bytes;
    co_return;
  }
  async::Task<void> start_tls(Deadline) override {
    heard_.clear = heard_.text.size();
    tls_ = {"TLSv1.3", "TLS_AES_128_GCM_SHA256", true, "", false};
    co_return;
  }
  const async::TlsFacts& tls() const override { return tls_; }
  const std::string& peer() const override { return address_; }
  void interrupt() override {}
  void close() override { rest_ = {}; }

 private:
  std::string_view rest_;
  const std::size_t piece_;
  Heard& heard_;
  async::TlsFacts tls_;
  const std::string address_ = "127.0.0.1";
};

}  // namespace relayd::fuzz
