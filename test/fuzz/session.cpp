#include "accept/session.hpp"

#include <algorithm>

#include "accept/session_fixture.hpp"
#include "fuzz/deaf_stream.hpp"
#include "fuzz/targets.hpp"
#include "shared/smtp/reply.hpp"

namespace relayd::fuzz {

namespace {

constexpr std::size_t most_recipients = 3, most_octets = 1024;
struct Outcome {
  std::vector<int> codes;
  std::vector<test::Taken> taken;
};

Outcome run(std::string_view input, std::size_t piece) {
  test::SessionRun run({});
  run.listener.auth = config::ListenerAuth::optional;
  run.config->limits.message_size = {most_octets};
  run.config->limits.recipients = most_recipients;
  run.intake.limit = {most_octets};
  run.intake.passwords = {{"ann", Secret("secret")}};
  DeafStream::Heard heard;
  accept::Session session({run.loop, run.workers, run.log, run.intake, run.penalties, run.gate}, run.config,
                          run.listener, std::make_unique<DeafStream>(input, piece, heard));
  test::drive(run.loop, session.run());
  Outcome result{{}, run.intake.taken};
  smtp::ReplyParser parser;
  for (std::string_view rest = heard.text; !rest.empty();) {
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
  const Outcome lines = run(input, input.size() + 1);
  const Outcome pieces = run(input, 1 + cut_of(input));
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
  const Outcome rushed = run(input, DeafStream::everything);
  demand(rushed.taken.size() <= lines.taken.size() &&
             std::equal(rushed.taken.begin(), rushed.taken.end(), lines.taken.begin(), same),
         "haste adds no message");
}

}  // namespace relayd::fuzz
