// Every transcript in dialogs/server against the server session: as it is written, in pieces, and with the
// client gone at every step and octet.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "accept/session_fixture.hpp"
#include "support/transcript.hpp"

namespace relayd::accept {
namespace {

using test::Cut;
using test::SessionRun;
using test::Taken;
using test::Transcript;

// --- what a transcript's lines mean ---

config::ListenerAuth auth_mode(const std::string& value) {
  if (value == "none") return config::ListenerAuth::none;
  if (value == "accept-any") return config::ListenerAuth::accept_any;
  return value == "required" ? config::ListenerAuth::required : config::ListenerAuth::optional;
}

std::pair<std::string, std::string> two_words(const std::string& text) {
  const std::size_t space = text.find(' ');
  return {text.substr(0, space), text.substr(space + 1)};
}

smtp::Reply reply(const std::string& line) {
  smtp::ReplyParser parser;
  parser.feed(line + "\r\n");
  return parser.take();
}

void apply(SessionRun& run, const std::string& key, const std::string& value) {
  const auto [first, second] = two_words(value);
  if (key == "tls")
    run.listener.tls = find_word<smtp::TlsMode>(value).value();
  else if (key == "auth")
    run.listener.auth = auth_mode(value);
  else if (key == "allow")
    run.listener.allow = {*config::Network::parse(value)};
  else if (key == "client")
    run.peer.address = value;
  else if (key == "account")
    run.intake.passwords.emplace(first, Secret(second));
  else if (key == "origin")
    run.config->origin = value;
  else if (key == "recipients")
    run.config->limits.recipients = static_cast<std::uint32_t>(std::stoul(value));
  else if (key == "message_size")
    run.intake.limit = {std::stoul(value)};
  else if (key == "bare_newlines")
    run.config->limits.bare_newlines =
        value == "reject" ? config::Limits::BareNewlines::reject : config::Limits::BareNewlines::normalise;
  else if (key == "refuse") {
    run.intake.refusals.emplace(first, reply(second));
    run.intake.flush_always = true;
  } else
    throw std::invalid_argument("unknown setting " + key);
}

// One message as the notes of a transcript show it: "taken A -> B", with what else is known in brackets, then
// its lines behind "| ".
std::string shown(const Taken& taken) {
  const mail::Envelope& envelope = taken.envelope;
  std::string text = "taken " + (envelope.sender.empty() ? "<>" : envelope.sender);
  if (!envelope.ret.empty()) text += " ret=" + envelope.ret;
  if (!envelope.envelope_id.empty()) text += " envid=" + envelope.envelope_id;
  if (envelope.require_tls) text += " require_tls";
  text += " ->";
  for (const mail::Recipient& recipient : envelope.recipients) {
    text += " " + recipient.address;
    if (!recipient.notify.empty()) text += " notify=" + recipient.notify;
    if (!recipient.original_recipient.empty()) text += " orcpt=" + recipient.original_recipient;
  }
  if (!taken.facts.account.empty()) text += " account=" + taken.facts.account;
  if (!taken.facts.tls.empty()) text += " tls";
  if (!taken.facts.extended) text += " helo";
  std::string_view rest = taken.content;
  while (!rest.empty()) {
    const std::size_t end = rest.find("\r\n");
    const std::string line(rest.substr(0, end));
    text += line.empty() ? "\n|" : "\n| " + line;
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 2);
  }
  return text;
}

std::vector<std::string> shown(const std::vector<Taken>& all) {
  std::vector<std::string> texts;
  for (const Taken& taken : all) texts.push_back(shown(taken));
  return texts;
}

std::vector<std::string> expected(const Transcript& transcript) {
  std::vector<std::string> texts;
  for (const std::string& note : transcript.notes) {
    if (note.starts_with("taken "))
      texts.push_back(note);
    else if (note.starts_with("|") && !texts.empty())
      texts.back() += "\n" + test::unescape(note);
    else
      throw std::invalid_argument("what does this mean: " + note);
  }
  return texts;
}

// --- the tests ---

class ServerDialog : public testing::TestWithParam<Transcript> {
 protected:
  std::unique_ptr<SessionRun> make_run() {
    auto run = std::make_unique<SessionRun>(GetParam().script);
    for (const auto& [key, value] : GetParam().settings) apply(*run, key, value);
    return run;
  }

  void expect_as_written(SessionRun& run) {
    run.run();
    EXPECT_EQ(run.peer.complaint(), "");
    EXPECT_TRUE(run.peer.finished()) << run.peer.position();
    EXPECT_TRUE(run.peer.closed());
    EXPECT_EQ(shown(run.intake.taken), expected(GetParam()));
  }

  // Ends, and has taken each of the first messages whole.
  void expect_sound(SessionRun& run, const Cut& cut) {
    SCOPED_TRACE(fmt::format("cut at step {} octet {}, {}", cut.step, cut.octets, static_cast<int>(cut.how)));
    run.peer.cut = cut;
    run.run();
    EXPECT_EQ(run.peer.complaint(), "");
    EXPECT_TRUE(run.peer.closed());
    std::vector<std::string> whole = expected(GetParam());
    ASSERT_LE(run.intake.taken.size(), whole.size());
    whole.resize(run.intake.taken.size());
    EXPECT_EQ(shown(run.intake.taken), whole);
  }
};

TEST_P(ServerDialog, GoesAsWritten) {
  const auto run = make_run();
  expect_as_written(*run);
}

TEST_P(ServerDialog, GoesTheSameOctetByOctet) {
  const auto run = make_run();
  run->peer.piece = 1;
  expect_as_written(*run);
}

TEST_P(ServerDialog, GoesTheSameSplitAnywhere) {
  std::size_t octets = 0;
  for (const test::Step& step : GetParam().script)
    if (step.kind == test::Step::Kind::say) octets += step.text.size();
  for (std::size_t split = 1; split < octets && !HasFailure(); ++split) {
    SCOPED_TRACE(split);
    const auto run = make_run();
    run->peer.split = split;
    expect_as_written(*run);
  }
}

TEST_P(ServerDialog, EndsSoundlyWhenTheClientGoesAtAnyStep) {
  for (std::size_t step = 0; step < GetParam().script.size() && !HasFailure(); ++step)
    for (const Cut::How how : {Cut::How::close, Cut::How::reset, Cut::How::silent, Cut::How::stuck})
      expect_sound(*make_run(), {step, 0, how});
}

TEST_P(ServerDialog, EndsSoundlyWhenTheClientGoesAtAnyOctet) {
  const test::Script& script = GetParam().script;
  for (std::size_t step = 0; step < script.size() && !HasFailure(); ++step) {
    if (script[step].kind != test::Step::Kind::say) continue;
    for (std::size_t octets = 1; octets < script[step].text.size(); ++octets)
      expect_sound(*make_run(), {step, octets, Cut::How::close});
  }
}

std::string name_of(const testing::TestParamInfo<Transcript>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Dialogs, ServerDialog,
                         testing::ValuesIn(test::read_transcripts("server", test::Side::client)), name_of);

}  // namespace
}  // namespace relayd::accept
