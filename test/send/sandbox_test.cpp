#include "send/sandbox.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "send/client_fixture.hpp"
#include "support/temporary_directory.hpp"

namespace relayd::send {
namespace {

using namespace std::chrono_literals;
using test::FakeDelivery;
using test::make_envelope;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class SandboxTest : public testing::Test {
 protected:
  std::string send(FakeDelivery& delivery) {
    const Report report = run_task(sandbox.send(delivery, nobody), &loop);
    EXPECT_EQ(report.recipients.size(), delivery.recipients().size());
    return test::shown(report.recipients.at(0).event);
  }
  bool open() { return !run_task(sandbox.open(), &loop); }
  Nobody nobody;

  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator(path))
      names.push_back(file.path().filename());
    return names;
  }
  std::string content(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(path / name, std::ios::binary).rdbuf();
    return text.str();
  }

  test::ManualLoop loop;
  async::Workers workers{loop, 1};
  test::TemporaryDirectory directory;
  std::filesystem::path path = directory.path() / "captured";
  Sandbox sandbox{loop, workers, path.string(), "ann"};
};

TEST_F(SandboxTest, KeepsAMessageAndItsEnvelope) {
  ASSERT_TRUE(open());
  FakeDelivery delivery(make_envelope("ann@example.com", {"bob@example.org"}), "Subject: a\r\n\r\ntext\r\n");
  delivery.piece = 7;
  EXPECT_THAT(send(delivery), testing::StartsWith("final_dot 250 2.0.0 Kept as "));
  EXPECT_THAT(files(), UnorderedElementsAre("message.eml", "message.json"));
  EXPECT_EQ(content("message.eml"), "Subject: a\r\n\r\ntext\r\n");
  EXPECT_THAT(content("message.json"), HasSubstr("\"bob@example.org\""));
  EXPECT_THAT(content("message.json"), HasSubstr("\"username\": \"ann\""));
}

TEST_F(SandboxTest, KeepsAnEmptyMessageToo) {
  ASSERT_TRUE(open());
  FakeDelivery delivery(make_envelope("ann@example.com", {"bob@example.org"}), "");
  send(delivery);
  EXPECT_EQ(content("message.eml"), "");
  EXPECT_THAT(files(), UnorderedElementsAre("message.eml", "message.json"));
}

TEST_F(SandboxTest, KeepsThePartsOfAMessageApart) {
  ASSERT_TRUE(open());
  FakeDelivery first(make_envelope("ann@example.com", {"bob@example.org"}), "text\r\n");
  FakeDelivery second(make_envelope("ann@example.com", {"eve@example.org"}), "text\r\n");
  send(first);
  send(second);
  EXPECT_THAT(content("message.json"), HasSubstr("bob@example.org"));
  EXPECT_THAT(content("message-2.json"), HasSubstr("eve@example.org"));
  EXPECT_EQ(content("message-2.eml"), "text\r\n");
}

TEST_F(SandboxTest, SaysWhenItCannotWrite) {
  ASSERT_TRUE(open());
  std::filesystem::remove_all(path);
  FakeDelivery delivery(make_envelope("ann@example.com", {"bob@example.org"}), "text\r\n");
  EXPECT_THAT(send(delivery), testing::StartsWith("data 451 4.3.0 "));
}

TEST_F(SandboxTest, SaysWhenItsDirectoryCannotBe) {
  std::ofstream(path) << "a file";
  EXPECT_FALSE(open());
}

TEST_F(SandboxTest, KeepsNothingOfAMessageThatCannotBeRead) {
  ASSERT_TRUE(open());
  FakeDelivery delivery(make_envelope("ann@example.com", {"bob@example.org"}), "text\r\n");
  delivery.unreadable = true;
  EXPECT_EQ(send(delivery), "data cancelled");
  EXPECT_THAT(files(), testing::IsEmpty());
}

TEST_F(SandboxTest, WaitsUntilItIsWokenOrTheTimeIsOver) {
  async::Task<bool> woken = sandbox.idle(loop.now() + 30s);
  woken.start();
  sandbox.wake();
  EXPECT_TRUE(woken.done() && woken.result());
  async::Task<bool> over = sandbox.idle(loop.now() + 30s);
  over.start();
  loop.advance(29s);
  EXPECT_FALSE(over.done());
  loop.advance(1s);
  EXPECT_TRUE(over.done() && !over.result());
}

}  // namespace
}  // namespace relayd::send
