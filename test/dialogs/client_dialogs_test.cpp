// Every transcript in dialogs/client against the SMTP client: as it is written, in pieces, and with the
// server gone at every step and octet.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "send/client_fixture.hpp"
#include "support/transcript.hpp"

namespace relayd::send {
namespace {

using smtp::Stage;
using smtp::Trouble;
using test::ClientRun;
using test::Cut;
using test::Sent;
using test::Transcript;
using testing::HasSubstr;
using testing::Not;

// --- what a transcript's lines mean ---

void apply(ClientRun& run, const std::string& key, const std::string& value) {
  const std::size_t space = value.find(' ');
  if (key == "tls")
    run.target.tls_mode = find_word<TlsMode>(value).value();
  else if (key == "certificate")
    run.peer.tls_facts.verified = value == "good";
  else if (key == "host" && value == "loopback")
    run.target.clear_password_allowed = true;
  else if (key == "size_limit")
    run.target.size_limit = std::stoul(value);
  else if (key == "pipelining" && value == "ahead")
    run.ahead = true;
  else if (key == "mechanism")
    run.target.mechanisms = {sasl::find_mechanism(value).value()};
  else if (key == "login") {
    run.target.login = true;
    run.credential = send::Credential{value.substr(0, space), {{Secret(value.substr(space + 1))}}};
  } else if (key == "tokens") {
    std::vector<std::string> texts;
    for (std::size_t at = space; at != std::string::npos; at = value.find(' ', at + 1))
      texts.push_back(value.substr(at + 1, value.find(' ', at + 1) - at - 1));
    run.log_in_with(value.substr(0, space), std::move(texts));
  } else
    throw std::invalid_argument("unknown setting " + key);
}

// "ann@example.com -> bob@example.org +8bitmime"
mail::Envelope envelope(const std::string& text) {
  test::Addresses addresses = test::parse_addresses(text);
  const auto erase = [&addresses](const char* flag) { return std::erase(addresses.recipients, flag) != 0; };
  const bool eight_bit = erase("+8bitmime");
  const bool smtp_utf8 = erase("+smtputf8");
  mail::Envelope result = test::make_envelope(addresses.sender, addresses.recipients);
  result.eight_bit = eight_bit;
  result.smtp_utf8 = smtp_utf8;
  return result;
}

// The messages and waits of a transcript, in order.
void add_actions(ClientRun& run, const std::vector<std::string>& notes) {
  for (std::size_t i = 0; i < notes.size(); ++i) {
    if (notes[i].starts_with("idle")) run.add_idle(std::chrono::seconds(30));
    if (!notes[i].starts_with("mail ")) continue;
    std::string content;
    for (std::size_t line = i + 1; line < notes.size() && notes[line].starts_with("|"); ++line)
      content += test::unescape(notes[line].substr(std::min<std::size_t>(2, notes[line].size()))) + "\r\n";
    run.add_mail(envelope(notes[i].substr(5)), content);
  }
}

std::vector<std::string> expected(const Transcript& transcript) {
  std::vector<std::string> events;
  for (const std::string& note : transcript.notes) {
    if (note.starts_with("event "))
      events.push_back(note.substr(6));
    else if (!note.starts_with("mail ") && !note.starts_with("|") && note != "idle")
      throw std::invalid_argument("what does this mean: " + note);
  }
  return events;
}

// --- the tests ---

std::unique_ptr<ClientRun> make_run(const Transcript& transcript) {
  auto run = std::make_unique<ClientRun>(transcript.script);
  for (const auto& [key, value] : transcript.settings) apply(*run, key, value);
  add_actions(*run, transcript.notes);
  return run;
}

class ClientDialog : public testing::TestWithParam<Transcript> {
 protected:
  std::unique_ptr<ClientRun> make_run() { return send::make_run(GetParam()); }

  void expect_as_written(ClientRun& run) {
    run.run();
    EXPECT_EQ(run.peer.complaint(), "");
    EXPECT_TRUE(run.peer.finished()) << run.peer.position();
    EXPECT_TRUE(run.peer.closed());
    EXPECT_EQ(run.events, expected(GetParam()));
  }
};

TEST_P(ClientDialog, GoesAsWritten) {
  const auto run = make_run();
  expect_as_written(*run);
}

TEST_P(ClientDialog, GoesTheSameOctetByOctet) {
  const auto run = make_run();
  run->peer.piece = 1;
  expect_as_written(*run);
}

TEST_P(ClientDialog, GoesTheSameSplitAnywhere) {
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

// --- cut ---

std::string joined(const std::vector<std::string>& writes, std::size_t from, std::size_t to) {
  std::string all;
  for (std::size_t i = from; i < to; ++i) all += writes[i];
  return all;
}

// What must hold for a message however its transaction ended.
void expect_sound(const ClientRun& run, const Sent& sent) {
  std::set<std::uint32_t> answered;
  for (const RecipientEvent& entry : sent.report.recipients) answered.insert(entry.recipient);
  EXPECT_EQ(answered.size(), sent.recipients) << "an event for each recipient";
  EXPECT_EQ(sent.report.recipients.size(), sent.recipients) << "and one only";

  const auto& recipients = sent.report.recipients;
  const bool dot_left = sent.writes_at_mark && sent.writes_at_end > *sent.writes_at_mark;
  const bool judged_by_dot = std::any_of(recipients.begin(), recipients.end(), [](const auto& entry) {
    return entry.event.stage == Stage::final_dot;
  });
  EXPECT_EQ(judged_by_dot, dot_left) << "the final dot decides exactly when it was written";
  if (sent.writes_at_mark) {
    EXPECT_THAT(joined(run.peer.writes(), sent.first_write, *sent.writes_at_mark),
                Not(HasSubstr("\r\n.\r\n")))
        << "the dot left before it was on disk that it may have";
  }
}

// Whoever had the same answers says the same; who lacks some says that they are missing, and invents none.
// A reply may have come, and one to a command behind it not.
void expect_no_invention(const ClientRun& run, const Sent& sent, const Sent& whole) {
  if (sent.said_at_end == whole.said_at_end) {
    EXPECT_EQ(sent.events, whole.events);
    return;
  }
  for (const std::string& event : sent.events) {
    const bool known = std::find(whole.events.begin(), whole.events.end(), event) != whole.events.end();
    if (!run.ahead) {
      EXPECT_THAT(event, Not(HasSubstr(": final_dot 2"))) << "that reply had not come";
    }
    EXPECT_TRUE(known || event.ends_with("broken") || event.ends_with("malformed")) << event;
  }
}

void expect_sound(ClientRun& run, const ClientRun& whole, const Cut& cut) {
  SCOPED_TRACE(fmt::format("cut at step {} octet {}, {}", cut.step, cut.octets, static_cast<int>(cut.how)));
  run.peer.cut = cut;
  run.run();
  EXPECT_EQ(run.peer.complaint(), "");
  EXPECT_TRUE(run.peer.closed());
  ASSERT_LE(run.sent.size(), whole.sent.size());
  for (std::size_t i = 0; i < run.sent.size(); ++i) {
    expect_sound(run, run.sent[i]);
    expect_no_invention(run, run.sent[i], whole.sent[i]);
  }
}

TEST_P(ClientDialog, ReportsSoundlyWhenTheServerGoesAtAnyStep) {
  const auto whole = make_run();
  whole->run();
  for (const Sent& sent : whole->sent) expect_sound(*whole, sent);
  for (std::size_t step = 0; step < GetParam().script.size() && !HasFailure(); ++step)
    for (const Cut::How how : {Cut::How::close, Cut::How::reset, Cut::How::silent, Cut::How::stuck})
      expect_sound(*make_run(), *whole, {step, 0, how});
}

TEST_P(ClientDialog, ReportsSoundlyWhenTheServerGoesAtAnyOctet) {
  const auto whole = make_run();
  whole->run();
  const test::Script& script = GetParam().script;
  for (std::size_t step = 0; step < script.size() && !HasFailure(); ++step) {
    if (script[step].kind != test::Step::Kind::say) continue;
    for (std::size_t octets = 1; octets < script[step].text.size(); ++octets)
      expect_sound(*make_run(), *whole, {step, octets, Cut::How::close});
  }
}

std::string name_of(const testing::TestParamInfo<Transcript>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Dialogs, ClientDialog,
                         testing::ValuesIn(test::read_transcripts("client", test::Side::server)), name_of);

}  // namespace
}  // namespace relayd::send
