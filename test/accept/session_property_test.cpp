// A transaction that ended, however it did, leaves a session as RSET does: random commands against a model of
// RFC 5321 3.3 and 4.1.4 that knows nothing else.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "accept/session_fixture.hpp"

namespace relayd::accept {
namespace {

constexpr int commands_in_all = 100'000;
constexpr int commands_a_session = 80;
constexpr unsigned errors_allowed = 20;

// What a session may remember of what was said.
struct Model {
  bool greeted = false;
  bool open = false;
  int recipients = 0;
  unsigned errors = 0;
};

// A client that says what comes to its mind and knows what must be answered.
class RandomClient final : public async::Stream {
 public:
  RandomClient(std::mt19937& chance, test::FakeIntake& intake) : chance_(chance), intake_(intake) {}

  async::Task<std::size_t> read_some(std::span<char> buffer, Deadline) override {
    demand_reply();
    const bool over = said_ == commands_a_session || model_.errors == errors_allowed;
    if (over || testing::Test::HasFailure()) co_return 0;
    ++said_;
    line_ = choose() + "\r\n";
    std::memcpy(buffer.data(), line_.data(), line_.size());
    co_return line_.size();
  }
  async::Task<void> write(std::string_view bytes, Deadline) override {
    heard_ += bytes;
    co_return;
  }
  async::Task<void> start_tls(Deadline) override { co_return; }
  const async::TlsFacts& tls() const override { return tls_; }
  const std::string& peer() const override { return address_; }
  void interrupt() override {}
  void close() override { demand_reply(); }

  static int total;

 private:
  // The replies to what was said last, and none besides.
  void demand_reply() {
    std::string codes;
    for (std::size_t at = 0; at < heard_.size(); at = heard_.find('\n', at) + 1)
      if (heard_[at + 3] == ' ') codes += heard_.substr(at, 4);
    EXPECT_EQ(codes, expected_) << line_;
    heard_.clear();
    expected_.clear();
  }

  bool one_in(unsigned n) { return chance_() % n == 0; }

  void expect(int code) {
    expected_ = fmt::format("{} ", code);
    if (code >= 400 && ++model_.errors == errors_allowed) expected_ += "421 ";
  }

  std::string choose() {
    ++total;
    if (in_content_) return end_of_data();
    switch (chance_() % 12) {
      case 0:
        return hello();
      case 1:
      case 2:
        return mail();
      case 3:
      case 4:
      case 5:
        return rcpt();
      case 6:
      case 7:
        return data();
      case 8:
        return plain("RSET", 250, true);
      case 9:
        return one_in(2) ? plain("NOOP", 250, false) : plain("VRFY ann", 252, false);
      default:
        return broken();
    }
  }

  std::string hello() {
    model_.greeted = true;
    return plain(one_in(2) ? "EHLO client.example" : "HELO client.example", 250, true);
  }
  std::string plain(const std::string& line, int code, bool resets) {
    if (resets) model_.open = false;
    expect(code);
    return line;
  }
  std::string mail() {
    const bool refused = one_in(4);
    const bool in_order = model_.greeted && !model_.open;
    if (in_order && refused) intake_.refusals.emplace("sender", smtp::Reply{550, {5, 7, 1}, "No"});
    expect(!in_order ? 503 : refused ? 550 : 250);
    if (in_order && !refused) {
      model_.open = true;
      model_.recipients = 0;
    }
    return "MAIL FROM:<ann@example.com>";
  }
  std::string rcpt() {
    const bool refused = one_in(4);
    if (model_.open && refused) intake_.refusals.emplace("recipient", smtp::Reply{550, {5, 7, 1}, "No"});
    expect(!model_.open ? 503 : refused ? 550 : 250);
    if (model_.open && !refused) ++model_.recipients;
    return "RCPT TO:<bob@example.org>";
  }
  std::string data() {
    const bool ready = model_.open && model_.recipients > 0;
    const bool refused = ready && one_in(4);
    if (refused) intake_.refusals.emplace("begin", smtp::Reply{451, {4, 3, 0}, "No"});
    expect(refused ? 451 : ready ? 354 : model_.open ? 554 : 503);
    in_content_ = ready && !refused;
    if (refused) model_.open = false;
    return "DATA";
  }
  std::string end_of_data() {
    in_content_ = false;
    model_.open = false;
    const bool refused = one_in(3);
    if (refused) intake_.refusals.emplace("commit", smtp::Reply{451, {4, 3, 0}, "No"});
    expect(refused ? 451 : 250);
    return "MAIL FROM:<eve@example.net>\r\n.";
  }
  // Whatever is wrong, it changes nothing.
  std::string broken() {
    static const std::pair<const char*, int> lines[] = {{"MAIL FROM:ann@example.com", 501},
                                                        {"MAIL FROM:<ann@example.com> SIZE=-1", 501},
                                                        {"MAIL FROM:<ann@example.com> X=1", 555},
                                                        {"RCPT TO:<a b@c>", 501},
                                                        {"RCPT TO:<b@c> NOTIFY=NEVER,DELAY", 501},
                                                        {"DATA now", 501},
                                                        {"RSET now", 501},
                                                        {"EXPN staff", 500},
                                                        {"", 500},
                                                        {"NOOP\rQUIT", 500},
                                                        {"STARTTLS", 502},
                                                        {"AUTH PLAIN AGEAYg==", 502},
                                                        {"EHLO", 501}};
    const auto& [line, code] = lines[chance_() % std::size(lines)];
    expect(code);
    return line;
  }

  std::mt19937& chance_;
  test::FakeIntake& intake_;
  Model model_;
  bool in_content_ = false;
  int said_ = 0;
  std::string line_ = "(greeting)";
  std::string expected_ = "220 ";
  std::string heard_;
  async::TlsFacts tls_;
  std::string address_ = "127.0.0.1";
};

int RandomClient::total = 0;

TEST(SessionProperty, HoweverATransactionEndsTheStateIsThatAfterRset) {
  std::mt19937 chance(5321);
  while (RandomClient::total < commands_in_all && !HasFailure()) {
    test::SessionRun run({});
    Session session({run.loop, run.workers, run.log, run.intake, run.penalties, run.gate}, run.config,
                    run.listener, std::make_unique<RandomClient>(chance, run.intake));
    test::drive(run.loop, session.run());
    EXPECT_TRUE(run.intake.refusals.empty());
  }
}

}  // namespace
}  // namespace relayd::accept
