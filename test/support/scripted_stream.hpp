// ScriptedPeer: plays a Script as the other end of an async::Stream, as well or as badly as a test wants.
//
// It can hand over its octets in pieces, break or fall silent at any step and octet, and it notes what it was
// told and whether that is what the script expects. It speaks when everything that the script has before was
// heard. Time is the ManualLoop's. The peer outlives its stream, and is what the test looks at afterwards.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/async/stream.hpp"
#include "support/manual_loop.hpp"
#include "support/script.hpp"

namespace relayd::test {

// Where the peer goes away, and how: `octets` of that step are still said.
struct Cut {
  enum class How {
    close,   // end of stream; what we write is swallowed
    reset,   // reads and writes fail
    silent,  // nothing comes any more; what we write is swallowed
    stuck,   // silent, and it does not read either: our writes wait
  };
  std::size_t step = 0;
  std::size_t octets = 0;
  How how = How::close;
};

class ScriptedPeer {
 public:
  static constexpr std::size_t everything = std::numeric_limits<std::size_t>::max();

  ScriptedPeer(ManualLoop& loop, Script script) : loop_(loop), script_(std::move(script)) { settle(); }
  ScriptedPeer(const ScriptedPeer&) = delete;
  ScriptedPeer& operator=(const ScriptedPeer&) = delete;

  // The other end; once.
  std::unique_ptr<async::Stream> connect();

  // How it behaves. To be set before the dialogue begins.
  std::optional<Cut> cut;
  std::size_t piece = everything;  // octets that come at once, at most
  std::size_t split = everything;  // no read goes over this octet of all that is said
  std::string address = "127.0.0.1";
  bool talks_early = false;  // has spoken before it was greeted
  async::TlsFacts tls_facts{"TLSv1.3", "TLS_AES_128_GCM_SHA256", true, "", false};
  std::function<void(const std::string& name)> on_call;
  std::function<void(std::string_view bytes)> on_write;  // while the write is under way

  // What became of it.
  bool finished() const;
  const std::string& complaint() const { return complaint_; }  // what did not fit the script; empty: all did
  const std::vector<std::string>& writes() const { return writes_; }  // each write to it, also failed ones
  std::string written() const;
  std::size_t said() const { return said_; }  // octets
  bool closed() const { return closed_; }     // by our side
  const Script& script() const { return script_; }
  // The step that the dialogue has come to, for a failure's text.
  std::string position() const;

 private:
  friend class ScriptedStream;

  bool gone() const;
  bool gone(Cut::How how) const { return gone() && how_gone() == how; }
  Cut::How how_gone() const;
  void settle();
  SteadyTime ready_at();
  std::optional<std::size_t> speak(std::span<char> buffer);
  std::size_t say(std::span<char> buffer);
  void hear(std::string_view bytes);
  void hear_line(std::string_view line);
  bool take_handshake();

  ManualLoop& loop_;
  Script script_;
  std::size_t spoken_ = 0;  // the first step that was not played
  std::size_t heard_ = 0;   // the first expectation that was not met
  std::size_t offset_ = 0;  // octets said of the present step
  std::size_t said_ = 0;
  std::optional<SteadyTime> pause_end_;
  std::string last_heard_;
  std::string partial_;
  std::vector<std::string> writes_;
  std::string complaint_;
  bool closed_ = false;
};

// Runs the loop, its clock from timer to timer and other threads until `done()`. Throws when nothing more can
// happen.
void drive(ManualLoop& loop, const std::function<bool()>& done);

// The same for a task; returns its result.
template <class T>
T drive(ManualLoop& loop, async::Task<T> task) {
  task.start();
  drive(loop, [&task] { return task.done(); });
  return task.result();
}

}  // namespace relayd::test
