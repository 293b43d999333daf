#include "support/scripted_stream.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "shared/smtp/reply.hpp"

namespace relayd::test {

using async::IoError;
using async::IoFault;
using async::Task;
using Kind = Step::Kind;

// --- the stream ---

// Every call waits for a turn of the loop, so that nothing is resumed from inside the caller.
class ScriptedStream final : public async::Stream {
 public:
  ScriptedStream(ManualLoop& loop, ScriptedPeer& peer) : loop_(loop), peer_(peer) {}
  ~ScriptedStream() override { peer_.closed_ = true; }

  Task<std::size_t> read_some(std::span<char> buffer, Deadline deadline) override;
  Task<void> write(std::string_view bytes, Deadline deadline) override;
  Task<void> start_tls(Deadline deadline) override;
  bool has_input() const override { return peer_.talks_early; }
  const async::TlsFacts& tls() const override { return facts_; }
  const std::string& peer() const override { return peer_.address; }
  void interrupt() override;
  void close() override;

 private:
  struct Wait {
    explicit Wait(async::Loop& loop) : timer(loop) {}
    void until(SteadyTime when) {
      timer.at(when, [this] { over.set(); });
    }
    async::Event over;
    async::Timer timer;
    bool interrupted = false;
  };
  Task<void> wait(Wait*& place, SteadyTime until);
  void wake(Wait* pending) {
    if (pending) pending->until(loop_.now());
  }

  ManualLoop& loop_;
  ScriptedPeer& peer_;
  async::TlsFacts facts_;
  Wait* reading_ = nullptr;
  Wait* writing_ = nullptr;
  bool closed_ = false;
};

Task<void> ScriptedStream::wait(Wait*& place, SteadyTime until) {
  if (closed_) throw IoError(IoFault::cancelled, "the connection was closed by us");
  Wait pending(loop_);
  pending.until(until);
  place = &pending;
  co_await pending.over;
  place = nullptr;
  if (closed_) throw IoError(IoFault::cancelled, "the connection was closed by us");
  if (pending.interrupted) throw IoError(IoFault::cancelled, "the wait was interrupted");
}

Task<std::size_t> ScriptedStream::read_some(std::span<char> buffer, Deadline deadline) {
  for (;;) {
    co_await wait(reading_, std::min(peer_.ready_at(), deadline));
    if (peer_.ready_at() <= loop_.now()) {
      const std::optional<std::size_t> count = peer_.speak(buffer);
      if (count) co_return *count;
    } else if (deadline <= loop_.now()) {
      throw IoError(IoFault::timed_out, "the peer did not answer in time");
    }
  }
}

Task<void> ScriptedStream::write(std::string_view bytes, Deadline deadline) {
  if (closed_) throw IoError(IoFault::cancelled, "the connection was closed by us");
  peer_.hear(bytes);
  wake(reading_);
  const bool stuck = peer_.gone(Cut::How::stuck);
  co_await wait(writing_, stuck ? deadline : loop_.now());
  if (stuck) throw IoError(IoFault::timed_out, "the peer did not read in time");
  if (peer_.gone(Cut::How::reset)) throw IoError(IoFault::reset, "the connection broke");
}

Task<void> ScriptedStream::start_tls(Deadline deadline) {
  const bool silent = peer_.gone(Cut::How::silent) || peer_.gone(Cut::How::stuck);
  co_await wait(reading_, silent ? deadline : loop_.now());
  if (silent) throw IoError(IoFault::timed_out, "the peer did not answer in time");
  if (!peer_.take_handshake()) throw IoError(IoFault::tls, "the handshake failed");
  facts_ = peer_.tls_facts;
}

void ScriptedStream::interrupt() {
  if (!reading_) return;
  reading_->interrupted = true;
  wake(reading_);
}

void ScriptedStream::close() {
  closed_ = true;
  peer_.closed_ = true;
  wake(reading_);
  wake(writing_);
}

// --- the peer ---

std::unique_ptr<async::Stream> ScriptedPeer::connect() {
  return std::make_unique<ScriptedStream>(loop_, *this);
}

std::string ScriptedPeer::written() const {
  std::string all;
  for (const std::string& bytes : writes_) all += bytes;
  return all;
}

// All was said and heard; a silence or an end that stands last need not be seen.
bool ScriptedPeer::finished() const {
  if (heard_ != script_.size() || !partial_.empty()) return false;
  if (spoken_ == script_.size()) return true;
  const Kind kind = script_[spoken_].kind;
  return spoken_ + 1 == script_.size() && (kind == Kind::close || kind == Kind::reset || kind == Kind::pause);
}

std::string ScriptedPeer::position() const {
  const std::size_t step = std::min(spoken_, heard_);
  if (step == script_.size()) return "at the end of the script";
  return "at step " + std::to_string(step) + " of the script: " + smtp::escape(script_[step].text, 80);
}

bool ScriptedPeer::gone() const {
  if (spoken_ < script_.size() && heard_ > spoken_ &&
      (script_[spoken_].kind == Kind::close || script_[spoken_].kind == Kind::reset))
    return true;
  if (!cut || heard_ < cut->step) return false;
  return spoken_ > cut->step || (spoken_ == cut->step && offset_ >= cut->octets);
}

Cut::How ScriptedPeer::how_gone() const {
  if (spoken_ == script_.size()) return cut->how;
  if (script_[spoken_].kind == Kind::close) return Cut::How::close;
  return script_[spoken_].kind == Kind::reset ? Cut::How::reset : cut->how;
}

// Moves over what needs nothing more to be done.
void ScriptedPeer::settle() {
  while (heard_ < script_.size() && (heard_ < spoken_ || script_[heard_].kind != Kind::expect)) ++heard_;
  while (spoken_ < heard_ && spoken_ < script_.size() && script_[spoken_].kind == Kind::expect) ++spoken_;
}

// When it has something to do; max: it waits for us.
SteadyTime ScriptedPeer::ready_at() {
  const SteadyTime now = loop_.now();
  if (gone()) return gone(Cut::How::close) || gone(Cut::How::reset) ? now : SteadyTime::max();
  if (spoken_ == script_.size()) return now;
  if (heard_ <= spoken_ || script_[spoken_].kind == Kind::tls) return SteadyTime::max();
  if (script_[spoken_].kind != Kind::pause) return now;
  if (!pause_end_) pause_end_ = now + script_[spoken_].pause;
  return *pause_end_;
}

// Octets, 0 for the end, or nothing when the step had none. The end of a script is the end of the stream.
std::optional<std::size_t> ScriptedPeer::speak(std::span<char> buffer) {
  if (gone(Cut::How::reset)) throw IoError(IoFault::reset, "the connection broke");
  if (gone() || spoken_ == script_.size()) return 0;
  const Step& step = script_[spoken_];
  if (step.kind == Kind::say) return say(buffer);
  if (step.kind == Kind::call) loop_.post([this, name = step.text] { on_call(name); });
  pause_end_.reset();
  ++spoken_;
  settle();
  return std::nullopt;
}

std::size_t ScriptedPeer::say(std::span<char> buffer) {
  const std::size_t to_split = split > said_ ? split - said_ : everything;
  const std::size_t limit = std::min({buffer.size(), piece, to_split});
  std::size_t count = 0;
  while (count < limit && spoken_ < script_.size() && script_[spoken_].kind == Kind::say && !gone()) {
    Step& step = script_[spoken_];
    if (step.answer) step.text = std::exchange(step.answer, nullptr)(last_heard_);
    std::size_t end = step.text.size();
    if (cut && cut->step == spoken_) end = std::min(end, cut->octets);
    const std::size_t taken = std::min(limit - count, end - offset_);
    std::memcpy(buffer.data() + count, step.text.data() + offset_, taken);
    count += taken;
    offset_ += taken;
    if (offset_ < step.text.size()) continue;
    offset_ = 0;
    ++spoken_;
  }
  settle();
  said_ += count;
  return count;
}

void ScriptedPeer::hear(std::string_view bytes) {
  writes_.emplace_back(bytes);
  if (on_write) loop_.post([this, copy = writes_.back()] { on_write(copy); });
  if (gone(Cut::How::reset)) throw IoError(IoFault::reset, "the connection broke");
  partial_ += bytes;
  for (std::size_t end = partial_.find("\r\n"); end != std::string::npos && !gone();
       end = partial_.find("\r\n")) {
    hear_line(std::string_view(partial_).substr(0, end));
    partial_.erase(0, end + 2);
  }
  if (gone()) partial_.clear();
}

void ScriptedPeer::hear_line(std::string_view line) {
  last_heard_ = line;
  std::string_view expected = heard_ < script_.size() ? std::string_view(script_[heard_].text) : "nothing";
  const std::string expectation(expected);
  const bool open = expected.ends_with("...");
  if (open) expected.remove_suffix(3);
  const bool fits = heard_ < script_.size() && (open ? line.starts_with(expected) : line == expected);
  if (!fits && complaint_.empty())
    complaint_ =
        "heard \"" + smtp::escape(line) + "\" where the script expects \"" + smtp::escape(expectation) + '"';
  if (heard_ < script_.size()) ++heard_;
  settle();
}

bool ScriptedPeer::take_handshake() {
  if (gone()) return false;
  const bool due = spoken_ < script_.size() && script_[spoken_].kind == Kind::tls && heard_ > spoken_;
  if (!due) {
    if (complaint_.empty()) complaint_ = "TLS was begun where the script has none, " + position();
    return false;
  }
  ++spoken_;
  settle();
  return true;
}

void drive(ManualLoop& loop, const std::function<bool()>& done) {
  while (!done()) {
    if (loop.run()) continue;
    if (loop.has_timers())
      loop.advance(loop.next_timer() - loop.now());
    else
      loop.run_until([&] { return done() || loop.has_timers(); });
  }
}

}  // namespace relayd::test
