// Session: DATA, from the command to the reply to the final dot (RFC 5321 4.1.1.4).
#include <fmt/format.h>

#include <algorithm>

#include "accept/session.hpp"
#include "shared/smtp/data.hpp"

namespace relayd::accept {

using async::Task;
using smtp::Reply;

namespace {

constexpr std::size_t read_size = 16 * 1024;

// A client may be slow, but not for the sake of it: what it has sent after the first while must have come at
// this rate. RFC 5321 4.5.3.2.5 gives a block three minutes.
constexpr auto slow_start = std::chrono::minutes(3);
constexpr std::uint64_t octets_a_second = 1024;

}  // namespace

Task<Session::After> Session::data() {
  if (!input_.empty()) {
    // RFC 2920 3.1: DATA is the last of a group. What follows is content, and refusing DATA does not make it
    // commands.
    const Reply too_early{554, {5, 5, 0}, "Wait for the reply to DATA"};
    log_rejected(too_early, envelope_ ? envelope_->sender : std::string());
    reset_transaction();
    answer(too_early);
    co_return After::close;
  }
  if (!envelope_) co_return answer_error({503, {5, 5, 1}, "MAIL first"});
  if (envelope_->recipients.empty()) co_return answer_error({554, {5, 5, 1}, "No valid recipients"});
  std::unique_ptr<Incoming> incoming;
  std::optional<Reply> refusal;
  try {
    incoming = around_.intake.begin(facts_, *envelope_);
  } catch (const Refused& refused) {
    refusal = refused.reply;
  }
  if (refusal) {
    log_rejected(*refusal, envelope_->sender);
    reset_transaction();
    co_return answer_error(*refusal);
  }
  answer(354, {}, "End with CR LF . CR LF");
  const bool whole = co_await receive(incoming.get(), refusal);
  if (!whole) co_return After::close;
  std::string id;
  if (!refusal) {
    try {
      id = co_await incoming->commit();
    } catch (const Refused& refused) {
      refusal = refused.reply;
    }
  }
  if (refusal) {
    log_rejected(*refusal, envelope_->sender);
    reset_transaction();
    co_return answer_error(*refusal);
  }
  reset_transaction();
  idle_commands_ = 0;
  answer(250, {2, 0, 0}, fmt::format("Ok: queued as {}", id));
  co_return After::go_on;
}

// Reads to the true end of the message, also when it is already refused. False: the client went away.
Task<bool> Session::receive(Incoming* incoming, std::optional<Reply>& refusal) {
  const SteadyTime began = around_.loop.now();
  const std::uint64_t limit = around_.intake.size_limit().count;
  smtp::DataDecoder decoder(smtp::DataDecoder::Content::message);
  std::string decoded;
  std::uint64_t size = 0;
  while (!decoder.done()) {
    if (input_.empty()) {
      co_await send();
      const std::span<char> space = input_.space(read_size);
      const Duration earned = slow_start + std::chrono::seconds(size / octets_a_second);
      const Deadline deadline = began + std::min<Duration>(earned, config_->limits.data_timeout);
      const std::size_t count = co_await stream_->read_some(space, deadline);
      if (count == 0) co_return false;
      input_.filled(count);
    }
    decoded.clear();
    const std::size_t taken = decoder.feed(input_.rest(), decoded);
    input_.consume(taken);
    size += decoded.size();
    if (size > limit && !refusal)
      refusal = Reply{552, {5, 3, 4}, fmt::format("At most {} octets are taken", limit)};
    if (refusal || decoded.empty()) continue;
    if (!incoming->append(decoded)) continue;
    try {
      co_await incoming->flush();
    } catch (const Refused& refused) {
      refusal = refused.reply;
    }
  }
  if (decoder.bare_newlines() > 0 && config_->limits.bare_newlines == config::Limits::BareNewlines::reject &&
      !refusal)
    refusal = Reply{550, {5, 6, 0}, "The message has a bare CR or LF (RFC 5321 2.3.8)"};
  if (decoder.nul_octets() > 0 && !refusal)
    refusal = Reply{
        550, {5, 6, 0}, "The message has a NUL, which neither 7BIT nor 8BITMIME may carry (RFC 2045 2.8)"};
  co_return true;
}

}  // namespace relayd::accept
