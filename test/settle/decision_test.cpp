#include "settle/decision.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace relayd::settle {
namespace {

using namespace std::chrono_literals;
using mail::RecipientState;
using smtp::Event;
using smtp::RecipientEvent;
using enum RecipientState;

Event reply(Stage stage, const std::string& line) {
  smtp::ReplyParser parser;
  parser.feed(line + "\r\n");
  EXPECT_EQ(parser.state(), smtp::ReplyParser::State::complete) << line;
  return {stage, parser.take()};
}
Event trouble(Stage stage, Trouble what) {
  return {stage, what, "what happened"};
}

const Event ok = reply(Stage::final_dot, "250 2.0.0 Ok");
const Event no_such_user = reply(Stage::rcpt, "550 5.1.1 No such user");
const Event greylisted = reply(Stage::rcpt, "450 4.2.0 Greylisted");
const Event too_many = reply(Stage::rcpt, "452 4.5.3 Too many recipients");
const Event later = reply(Stage::final_dot, "451 4.3.0 Later");
const Event spam = reply(Stage::final_dot, "554 5.7.1 Spam");
const Event wrong_password = reply(Stage::auth, "535 5.7.8 Wrong");
const Event too_fast = reply(Stage::final_dot, "451 4.7.1 Rate limit exceeded");
const Event not_our_sender = reply(Stage::mail, "553 5.7.1 Not owned");
const Event closing = reply(Stage::mail, "421 4.3.0 Closing");
const Event refused = trouble(Stage::connect, Trouble::unreachable);
const Event silent_port = trouble(Stage::greeting, Trouble::broken);
const Event silent_dot = trouble(Stage::final_dot, Trouble::broken);
const Event cut = trouble(Stage::data, Trouble::broken);
const Event cancelled = trouble(Stage::data, Trouble::cancelled);
const Event too_large = trouble(Stage::mail, Trouble::too_large);

constexpr smtp::ReplyClasses no_class;
constexpr smtp::ReplyClasses most_classes = {ReplyClass::connect, ReplyClass::tls,   ReplyClass::auth,
                                             ReplyClass::rate,    ReplyClass::quota, ReplyClass::temp,
                                             ReplyClass::sender};

Attempt first_attempt(smtp::ReplyClasses retry_next_on = no_class) {
  return {.retry_next_on = retry_next_on, .backoff = 60s};
}

// An event for each recipient, from the first on.
Decision decided(std::initializer_list<Event> events, const Attempt& attempt) {
  static std::vector<RecipientEvent> entries;  // the decision points into them
  entries.clear();
  for (const Event& event : events) entries.push_back({static_cast<std::uint32_t>(entries.size()), event});
  return decide(entries, attempt);
}

std::vector<RecipientState> states(const Decision& decision) {
  std::vector<RecipientState> states;
  for (const RecipientDecision& recipient : decision.recipients) states.push_back(recipient.outcome.state);
  return states;
}

struct Case {
  const char* name;
  std::vector<Event> events;
  std::vector<RecipientState> states;
  LaneAction lane;
  Comeback comeback;
};

// Without another upstream, port or earlier attempt.
TEST(Decision, OfAMessageWithOneWay) {
  const std::vector<Case> cases = {
      {"delivered", {ok}, {delivered}, LaneAction::works, Comeback::now},
      {"refused recipient", {no_such_user}, {failed}, LaneAction::works, Comeback::now},
      {"one of two", {ok, no_such_user}, {delivered, failed}, LaneAction::works, Comeback::now},
      {"one waits", {ok, greylisted}, {delivered, pending}, LaneAction::works, Comeback::usual},
      {"the rest at once", {ok, too_many}, {delivered, pending}, LaneAction::works, Comeback::now},
      {"nobody had room", {too_many}, {pending}, LaneAction::works, Comeback::usual},
      {"later", {later}, {pending}, LaneAction::works, Comeback::usual},
      {"spam", {spam}, {failed}, LaneAction::works, Comeback::now},
      {"wrong password", {wrong_password}, {pending}, LaneAction::stops, Comeback::now},
      {"too fast", {too_fast}, {pending}, LaneAction::stops, Comeback::now},
      {"sender", {not_our_sender}, {failed}, LaneAction::works, Comeback::now},
      {"closing", {closing}, {pending}, LaneAction::ended, Comeback::usual},
      {"port", {refused}, {pending}, LaneAction::stops, Comeback::now},
      {"doubt", {silent_dot}, {doubtful}, LaneAction::ended, Comeback::usual},
      {"doubt of one", {no_such_user, silent_dot}, {failed, doubtful}, LaneAction::ended, Comeback::usual},
      {"cut", {cut}, {pending}, LaneAction::ended, Comeback::usual},
      {"we closed it", {cancelled}, {pending}, LaneAction::nothing, Comeback::usual},
      {"unfit", {too_large}, {failed}, LaneAction::nothing, Comeback::now},
  };
  for (const Case& wanted : cases) {
    std::vector<RecipientEvent> events;
    for (const Event& event : wanted.events)
      events.push_back({static_cast<std::uint32_t>(events.size()), event});
    const Decision decision = decide(events, first_attempt());
    EXPECT_EQ(states(decision), wanted.states) << wanted.name;
    EXPECT_EQ(decision.lane, wanted.lane) << wanted.name;
    EXPECT_EQ(decision.comeback, wanted.comeback) << wanted.name;
    EXPECT_EQ(decision.wait, wanted.comeback == Comeback::usual ? Duration(60s) : Duration(0s))
        << wanted.name;
  }
}

TEST(Decision, ARecipientsOutcomeNamesItsReply) {
  const Decision decision = decided({ok, no_such_user, refused}, first_attempt());
  EXPECT_EQ(decision.recipients[0].outcome.code, 250);
  EXPECT_EQ(decision.recipients[0].outcome.text, "2.0.0 Ok");
  EXPECT_EQ(decision.recipients[1].outcome.recipient, 1U);
  EXPECT_EQ(decision.recipients[1].outcome.code, 550);
  EXPECT_EQ(decision.recipients[1].outcome.text, "5.1.1 No such user");
  EXPECT_EQ(decision.recipients[1].reply_class, ReplyClass::rcpt);
  EXPECT_EQ(decision.recipients[2].outcome.code, 0);
  EXPECT_EQ(decision.recipients[2].outcome.text, "what happened");
}

TEST(Decision, WhatIsSuppressedFailsAndSaysThatItWasTaken) {
  Attempt attempt = first_attempt(most_classes);
  attempt.provider = "oci";
  attempt.has_next = true;
  const Decision decision = decided({reply(Stage::final_dot, "254 4.7.1 Suppression")}, attempt);
  EXPECT_EQ(states(decision), std::vector{failed});
  EXPECT_EQ(decision.recipients[0].outcome.text, "taken, and will not be sent: 4.7.1 Suppression");
  EXPECT_EQ(decision.comeback, Comeback::now);
}

TEST(Decision, AClassThatMayMoveOnDoesWhereTheRouteGoesOn) {
  Attempt attempt = first_attempt(most_classes);
  EXPECT_EQ(states(decided({not_our_sender}, attempt)), std::vector{failed});
  attempt.has_next = true;
  const Decision decision = decided({not_our_sender}, attempt);
  EXPECT_EQ(states(decision), std::vector{pending});
  EXPECT_EQ(decision.comeback, Comeback::next_upstream);
  EXPECT_EQ(decision.wait, Duration(0s));
  Attempt other = first_attempt(no_class);
  other.has_next = true;
  EXPECT_EQ(states(decided({not_our_sender}, other)), std::vector{failed});
}

TEST(Decision, PastALaneInTroubleAMessageFindsItsWayByItself) {
  Attempt attempt = first_attempt(most_classes);
  attempt.has_next = true;
  const Decision decision = decided({wrong_password}, attempt);
  EXPECT_EQ(decision.lane, LaneAction::stops);
  EXPECT_EQ(decision.comeback, Comeback::now);
}

TEST(Decision, APortThatIsClosedOrSilentIsLeftWhileThereIsAnother) {
  Attempt attempt = first_attempt(most_classes);
  attempt.has_next = attempt.has_next_port = true;
  for (const Event& event : {refused, silent_port}) {
    const Decision decision = decided({event}, attempt);
    EXPECT_EQ(decision.lane, LaneAction::next_port);
    EXPECT_EQ(decision.comeback, Comeback::now);
  }
  EXPECT_EQ(decided({wrong_password}, attempt).lane, LaneAction::stops);
  attempt.has_next_port = false;
  EXPECT_EQ(decided({silent_port}, attempt).lane, LaneAction::stops);
}

TEST(Decision, WhatMayHaveBeenTakenGoesNowhereElse) {
  Attempt attempt = first_attempt(most_classes);
  attempt.has_next = true;
  const Decision now = decided({silent_dot}, attempt);
  EXPECT_TRUE(now.in_doubt);
  EXPECT_EQ(now.comeback, Comeback::usual);
  attempt.doubted_here = true;
  const Decision again = decided({not_our_sender, later}, attempt);
  EXPECT_FALSE(again.in_doubt);
  EXPECT_EQ(states(again), (std::vector{failed, doubtful}));
  EXPECT_EQ(again.comeback, Comeback::usual);
}

// Past a closed lane it would be tried again and again, and may arrive as often.
TEST(Decision, WhatIsInDoubtWaitsAlsoWhereTheLaneStops) {
  const Decision decision = decided({silent_dot, too_fast}, first_attempt());
  EXPECT_EQ(decision.lane, LaneAction::stops);
  EXPECT_EQ(decision.comeback, Comeback::usual);
}

TEST(Decision, WhatIsUnfitWaitsForOneThatIsNot) {
  Attempt attempt = first_attempt();
  attempt.another_may_take = true;
  EXPECT_EQ(states(decided({too_large}, attempt)), std::vector{pending});
  attempt.has_next = true;
  EXPECT_EQ(decided({too_large}, attempt).comeback, Comeback::next_upstream);
  attempt.doubted_here = true;
  EXPECT_EQ(states(decided({too_large}, attempt)), std::vector{failed});
  EXPECT_TRUE(is_unfit(too_large));
  EXPECT_FALSE(is_unfit(refused));
  EXPECT_FALSE(is_unfit(not_our_sender));
}

TEST(Decision, TheLongestTimeThatWasToldIsKept) {
  const Event two = reply(Stage::rcpt, "450 4.2.0 Greylisted, retry after 2 minutes");
  const Event five = reply(Stage::rcpt, "450 4.2.0 Greylisted, retry after 5 minutes");
  const Decision decision = decided({five, two, ok}, first_attempt());
  EXPECT_EQ(decision.comeback, Comeback::told);
  EXPECT_EQ(decision.wait, Duration(5min));
}

// What stops the lane, or is in doubt, outweighs what befell another recipient.
TEST(Decision, TheGravestEventDecidesAboutTheLane) {
  for (const Decision& decision :
       {decided({too_fast, greylisted}, first_attempt()), decided({greylisted, too_fast}, first_attempt())})
    EXPECT_EQ(decision.verdict.reply_class, ReplyClass::rate);
  EXPECT_TRUE(decided({greylisted, silent_dot}, first_attempt()).verdict.in_doubt);
  const Event closing_at_rcpt = reply(Stage::rcpt, "421 4.3.0 Closing");
  EXPECT_EQ(decided({closing_at_rcpt}, first_attempt()).lane, LaneAction::ended);
  EXPECT_EQ(decided({ok, closing_at_rcpt}, first_attempt()).lane, LaneAction::works);
  EXPECT_EQ(decided({ok}, first_attempt()).event, nullptr);
}

TEST(Decision, AConnectionThatIsNoGoodIsLeft) {
  EXPECT_TRUE(decided({closing}, first_attempt()).leaves);
  EXPECT_TRUE(
      decided({reply(Stage::rcpt, "450 4.7.1 Too many recipients in this session")}, first_attempt()).leaves);
  EXPECT_FALSE(decided({cut}, first_attempt()).leaves);  // it has gone
  EXPECT_FALSE(decided({later}, first_attempt()).leaves);
}

// --- caps ---

const Event full_session = reply(Stage::rcpt, "452 4.5.3 Too many recipients in this session, limit is 50");
const Event used_up = reply(Stage::mail, "421 Too many messages in one connection, limit is 25");
const Event too_many_in_one = reply(Stage::final_dot, "550 Too many recipients, 3 recipients per message");
const Event too_many_of_them = reply(Stage::final_dot, "550 Too many recipients");

std::optional<smtp::FoundCap> cap_of(std::initializer_list<Event> events, smtp::Carried carried = {}) {
  Attempt attempt = first_attempt();
  attempt.carried = carried;
  return decided(events, attempt).cap;
}

TEST(Decision, ACapIsWhatWasTakenBeforeItWasMet) {
  using enum smtp::Cap;
  EXPECT_EQ(cap_of({ok, ok, no_such_user, too_many}), (smtp::FoundCap{recipients_per_message, 2, false}));
  EXPECT_EQ(cap_of({ok, full_session}, {7, 48}), (smtp::FoundCap{recipients_per_connection, 49, false}));
  EXPECT_EQ(cap_of({ok, full_session}, {7, 49}), (smtp::FoundCap{recipients_per_connection, 50, true}));
  EXPECT_EQ(cap_of({used_up, used_up}, {25, 40}), (smtp::FoundCap{messages_per_connection, 25, true}));
  EXPECT_EQ(cap_of({used_up}, {9, 9}), (smtp::FoundCap{messages_per_connection, 9, false}));
}

TEST(Decision, ARefusalBetweenTakenOnesIsNoCap) {
  EXPECT_EQ(cap_of({ok, too_many, ok}), std::nullopt);
  EXPECT_EQ(cap_of({ok, full_session, no_such_user, ok}), std::nullopt);
}

TEST(Decision, WhereNothingWasTakenTheReplyNamesTheCapOrHalfIsTried) {
  using enum smtp::Cap;
  const Event& five = too_many_in_one;
  EXPECT_EQ(cap_of({five, five, five, five, five}), (smtp::FoundCap{recipients_per_message, 3, true}));
  EXPECT_EQ(cap_of({five, five, five}), (smtp::FoundCap{recipients_per_message, 1, false}));
  EXPECT_EQ(cap_of({too_many_of_them, too_many_of_them}), (smtp::FoundCap{recipients_per_message, 1, false}));
  EXPECT_EQ(cap_of({too_many, too_many}), std::nullopt);  // not one: that is no cap
  EXPECT_EQ(cap_of({used_up}), std::nullopt);
  EXPECT_EQ(cap_of({ok, greylisted}), std::nullopt);
}

TEST(Decision, WhatMetACapGoesOnAtOnceWhereThatIsLess) {
  Attempt attempt = first_attempt();
  EXPECT_EQ(decided({used_up}, attempt).comeback, Comeback::usual);
  attempt.carried = {25, 25};
  EXPECT_EQ(decided({used_up}, attempt).comeback, Comeback::now);
  EXPECT_EQ(decided({later, full_session}, attempt).comeback, Comeback::usual);
  const Decision split = decided({too_many_of_them, too_many_of_them}, attempt);
  EXPECT_EQ(split.comeback, Comeback::now);
  EXPECT_EQ(states(split), (std::vector{pending, pending}));
}

// A message for one recipient that is refused so for good can be made no smaller.
TEST(Decision, TooManyRecipientsOfOneIsARefusal) {
  const Decision decision = decided({too_many_of_them}, first_attempt());
  EXPECT_EQ(states(decision), std::vector{failed});
  EXPECT_TRUE(decision.too_many_is_no_cap);
  EXPECT_FALSE(decided({too_many_of_them, too_many_of_them}, first_attempt()).too_many_is_no_cap);
  EXPECT_EQ(decision.recipients[0].reply_class, ReplyClass::content);
  EXPECT_EQ(states(decided({reply(Stage::final_dot, "451 Too many recipients")}, first_attempt())),
            std::vector{pending});
}

// --- a message on its way, by chance ---

// A wrong password, a host that is away, a limit: the message has no part in it.
bool never_fails(ReplyClass reply_class) {
  const std::array harmless = {ReplyClass::connect, ReplyClass::tls,  ReplyClass::auth, ReplyClass::rate,
                               ReplyClass::quota,   ReplyClass::conn, ReplyClass::temp};
  return std::ranges::find(harmless, reply_class) != harmless.end();
}

// As the relay keeps it: the states, the upstream that may have it, the step of its route. Where an attempt
// parts its recipients, chance says with whom it goes on.
struct Journey {
  static constexpr std::size_t upstreams = 3;
  std::vector<RecipientState> states = std::vector<RecipientState>(4, pending);
  std::optional<std::size_t> doubted;
  std::size_t step = 0;

  bool is_open(std::size_t recipient) const {
    return states[recipient] == pending || states[recipient] == doubtful;
  }
  std::vector<std::uint32_t> offered() const {
    std::vector<std::uint32_t> offered;
    for (std::uint32_t i = 0; i < states.size(); ++i)
      if (states[i] == (doubted ? doubtful : pending)) offered.push_back(i);
    return offered;
  }
};

class DecisionByChance : public testing::Test {
 protected:
  std::size_t below(std::size_t limit) { return random_() % limit; }
  bool coin() { return below(2) == 0; }

  // A report as send makes it: troubles and early replies concern all, later ones each recipient.
  std::vector<RecipientEvent> report(const std::vector<std::uint32_t>& offered) {
    const std::array for_all = {wrong_password, not_our_sender, closing,  refused, silent_port, cut,
                                cancelled,      too_large,      too_fast, spam};
    const std::array at_rcpt = {no_such_user, greylisted, too_many, full_session};
    const std::array at_dot = {ok, later, spam, silent_dot, too_many_of_them};
    std::vector<RecipientEvent> events;
    const bool together = coin();
    const Event all = for_all[below(for_all.size())];
    const Event dot = at_dot[below(at_dot.size())];
    for (const std::uint32_t recipient : offered)
      events.push_back({recipient, together ? all : coin() ? dot : at_rcpt[below(at_rcpt.size())]});
    return events;
  }

  void check(const Journey& journey, const std::vector<RecipientEvent>& events, const Attempt& attempt,
             const Decision& decision) {
    ASSERT_EQ(decision.recipients.size(), events.size());
    bool somebody_moves = false, somebody_waits = false;
    for (std::size_t i = 0; i < events.size(); ++i) {
      const Event& event = events[i].event;
      const mail::RecipientOutcome& outcome = decision.recipients[i].outcome;
      const RecipientState before = journey.states[outcome.recipient];
      const bool positive = !event.trouble && event.stage == Stage::final_dot && event.reply.positive();
      EXPECT_EQ(outcome.recipient, events[i].recipient);
      EXPECT_TRUE(journey.is_open(outcome.recipient)) << "a second end";
      EXPECT_EQ(outcome.state == delivered, positive);
      if (before == doubtful && attempt.doubted_here) {
        EXPECT_NE(outcome.state, pending) << "doubt does not go by itself";
      }
      if (event.trouble && event.stage == Stage::final_dot) {
        EXPECT_EQ(outcome.state, doubtful);
      }
      if (never_fails(decision.recipients[i].reply_class)) {
        EXPECT_NE(outcome.state, failed) << "it bounces for what is not its fault";
      }
      somebody_waits |= outcome.state == pending || outcome.state == doubtful;
      somebody_moves |= outcome.state == pending;
    }
    if (!decision.event) {
      EXPECT_EQ(decision.lane, LaneAction::works);
    }
    EXPECT_EQ(decision.wait == Duration::zero(),
              decision.comeback == Comeback::now || decision.comeback == Comeback::next_upstream);
    if (decision.comeback == Comeback::next_upstream) {
      EXPECT_TRUE(attempt.has_next && somebody_moves) << "nothing in doubt moves on";
      EXPECT_NE(decision.lane, LaneAction::stops);
    }
    if (!somebody_waits) {
      EXPECT_EQ(decision.comeback, Comeback::now);
    }
    // No storm: what comes back at once has moved, ended, got on, or met a lane that is closed or changed.
    const bool changed = decision.lane == LaneAction::stops || decision.lane == LaneAction::next_port;
    const bool got_on = std::ranges::any_of(decision.recipients, [](const RecipientDecision& recipient) {
      return recipient.outcome.state == delivered;
    });
    if (decision.comeback == Comeback::now) {
      EXPECT_TRUE(changed || got_on || !somebody_waits || decision.cap);
    }
  }

 private:
  std::mt19937_64 random_{20261122};
};

TEST_F(DecisionByChance, EndsOnceAndNothingInDoubtMovesOn) {
  for (int message = 0; message < 20000 && !HasFailure(); ++message) {
    Journey journey;
    for (int attempts = 0; attempts < 12 && !HasFailure(); ++attempts) {
      const std::size_t at = journey.doubted.value_or(journey.step);
      const std::vector<std::uint32_t> offered = journey.offered();
      if (offered.empty()) break;
      Attempt attempt = first_attempt(coin() ? most_classes : no_class);
      attempt.doubted_here = journey.doubted == at;
      attempt.has_next = at + 1 < Journey::upstreams;
      attempt.has_next_port = coin();
      attempt.another_may_take = coin();
      const std::vector<RecipientEvent> events = report(offered);
      const Decision decision = decide(events, attempt);
      check(journey, events, attempt, decision);
      for (const RecipientDecision& recipient : decision.recipients)
        journey.states[recipient.outcome.recipient] = recipient.outcome.state;
      const bool doubt = std::ranges::find(journey.states, doubtful) != journey.states.end();
      const bool others = std::ranges::find(journey.states, pending) != journey.states.end();
      journey.doubted = doubt && (!others || coin()) ? std::optional(at) : std::nullopt;
      if (decision.comeback == Comeback::next_upstream) journey.step = at + 1;
    }
  }
}

}  // namespace
}  // namespace relayd::settle
