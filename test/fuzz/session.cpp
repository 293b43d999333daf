#include "accept/session.hpp"

#include <algorithm>
#include <cstring>

#include "accept/session_fixture.hpp"
#include "fuzz/targets.hpp"
#include "shared/smtp/reply.hpp"

namespace relayd::fuzz {

namespace {

constexpr std::size_t most_recipients = 3, most_octets = 1024;
constexpr std::size_t everything = std::string_view::npos;

// A client that says the input, whatever it is answered.
class DeafClient final : public async::Stream {
 public:
  // By lines, and never more octets at once than `piece`; or else everything at once.
  DeafClient(std::string_view input, std::size_t piece, std::string& heard)
      : rest_(input), piece_(piece), heard_(heard) {}

  async::Task<std::size_t> read_some(std::span<char> buffer, Deadline) override {
    const std::size_t line = piece_ == everything ? rest_.size() : rest_.find('\n') + 1;
    const std::size_t count =
        std::min({buffer.size(), rest_.size(), piece_, line == 0 ? rest_.size() : line});
    std::memcpy(buffer.data(), rest_.data(), count);
    rest_.remove_prefix(count);
    co_return count;
  }
  async::Task<void> write(std::string_view bytes, Deadline) override {
    heard_ += bytes;
    co_return;
  }
  async::Task<void> start_tls(Deadline) override { co_return; }
  const async::TlsFacts& tls() const override { return tls_; }
  const std::string& peer() const override { return address_; }
  void interrupt() override {}
  void close() override { rest_ = {}; }

 private:
  std::string_view rest_;
  const std::size_t piece_;
  std::string& heard_;
  const async::TlsFacts tls_;
  const std::string address_ = "127.0.0.1";
};

struct Heard {
  std::vector<int> codes;
  std::vector<test::Taken> taken;
};

Heard run(std::string_view input, std::size_t piece) {
  test::SessionRun run({});
  run.listener.auth = config::ListenerAuth::optional;
  run.config->limits.message_size = {most_octets};
  run.config->limits.recipients = most_recipients;
  run.intake.limit = {most_octets};
  run.intake.passwords = {{"ann", Secret("secret")}};
  std::string heard;
  accept::Session session({run.loop, run.workers, run.log, run.intake, run.penalties}, run.config,
                          run.listener, std::make_unique<DeafClient>(input, piece, heard));
  test::drive(run.loop, session.run());
  Heard result{{}, run.intake.taken};
  smtp::ReplyParser parser;
  for (std::string_view rest = heard; !rest.empty();) {
    rest.remove_prefix(parser.feed(rest));
    demand(parser.state() == smtp::ReplyParser::State::complete, "a server says whole replies");
    result.codes.push_back(parser.take().code);
  }
  return result;
}

bool same(const test::Taken& a, const test::Taken& b) {
  return a.content == b.content && a.envelope.sender == b.envelope.sender &&
         a.facts.account == b.facts.account && a.envelope.recipients.size() == b.envelope.recipients.size();
}

}  // namespace

void session(std::string_view input) {
  const Heard lines = run(input, input.size() + 1);
  const Heard pieces = run(input, 1 + cut_of(input));
  demand(lines.codes == pieces.codes, "the cut does not matter to the replies");
  demand(std::ranges::equal(lines.taken, pieces.taken, same), "the cut does not matter to what is taken");
  for (const test::Taken& message : lines.taken) {
    const std::size_t recipients = message.envelope.recipients.size();
    demand(recipients >= 1 && recipients <= most_recipients,
           "a message has recipients, not more than allowed");
    demand(message.content.size() <= most_octets, "a message is no larger than allowed");
    demand(message.facts.account.empty() || message.facts.account == "ann", "who logged in has an account");
  }
  // Who does not wait for a reply where he must is cut off; what he smuggles is never taken.
  const Heard rushed = run(input, everything);
  demand(rushed.taken.size() <= lines.taken.size() &&
             std::equal(rushed.taken.begin(), rushed.taken.end(), lines.taken.begin(), same),
         "haste adds no message");
}

}  // namespace relayd::fuzz
