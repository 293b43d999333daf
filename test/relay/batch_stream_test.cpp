// BatchStream: a file of the drop folder talks like a client, and stops where one must.
#include "relay/batch_stream.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/manual_loop.hpp"

namespace relayd {
namespace {

using testing::HasSubstr;

constexpr std::string_view head =
    "relayd drop 1\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nRCPT TO:<c@x.example>\r\nDATA\r\n";

class BatchStreamTest : public testing::Test {
 protected:
  void open(std::string_view text) {
    file_ = ::memfd_create("batch", MFD_CLOEXEC);
    append(text);
    stream_ = std::make_unique<BatchStream>(workers_, drop::File{disk::Descriptor(file_), text.size(), 1000},
                                            "relay.example", outcome_);
  }
  void append(std::string_view text) {
    const auto written = ::pwrite(file_, text.data(), text.size(), static_cast<off_t>(size_));
    ASSERT_EQ(written, static_cast<ssize_t>(text.size()));
    size_ += text.size();
  }

  // What it says now; empty: it has ended.
  std::string said() {
    char buffer[256 * 1024];
    const std::size_t count = test::run_task(stream_->read_some(buffer, Deadline::max()), &loop_);
    return {buffer, count};
  }
  std::string all_said() {
    std::string all;
    for (std::string more = said(); !more.empty(); more = said()) all += more;
    return all;
  }
  void answer(std::string_view reply) { test::run_task(stream_->write(reply, Deadline::max()), &loop_); }
  // A file of two recipients whose first commands are answered so.
  void converse(const std::vector<const char*>& replies) {
    size_ = 0;
    outcome_ = {};
    open(std::string(head) + "text\r\n.\r\n");
    answer("220 hello\r\n");
    for (const char* reply : replies) {
      EXPECT_NE(said(), "");
      answer(reply);
    }
  }
  // Answers until the content is next.
  void come_to_the_content() {
    answer("220 hello\r\n");
    for (const char* reply :
         {"250-relay\r\n250 SIZE\r\n", "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"}) {
      EXPECT_NE(said(), "");
      answer(reply);
    }
  }

  test::ManualLoop loop_;
  async::Workers workers_{loop_, 1};
  int file_ = -1;  // the stream's
  std::size_t size_ = 0;
  BatchStream::Outcome outcome_;
  std::unique_ptr<BatchStream> stream_;
};

TEST_F(BatchStreamTest, ACommandWaitsForTheReplyToTheOneBefore) {
  open(std::string(head) + "text\r\n.\r\n");
  EXPECT_EQ(stream_->peer(), "uid:1000");
  answer("220 hello\r\n");
  EXPECT_EQ(said(), "EHLO relay.example\r\n");
  answer("250-relay\r\n");
  answer("250 SIZE\r\n");
  EXPECT_EQ(said(), "MAIL FROM:<a@x.example>\r\n");
  answer("250 ok\r\n");
  EXPECT_EQ(said(), "RCPT TO:<b@x.example>\r\n");
  answer("250 ok\r\n");
  EXPECT_EQ(said(), "RCPT TO:<c@x.example>\r\n");
  answer("250 ok\r\n");
  EXPECT_EQ(said(), "DATA\r\n");
  answer("354 go\r\n");
  EXPECT_EQ(said(), "text\r\n.\r\n");
  EXPECT_FALSE(outcome_.taken);
  answer("250 queued\r\n");
  EXPECT_TRUE(outcome_.taken);
  EXPECT_EQ(said(), "");
}

TEST_F(BatchStreamTest, NothingIsSaidAfterARefusal) {
  for (const std::vector<const char*>& replies : std::vector<std::vector<const char*>>{
           {"250 relay\r\n", "550 5.7.1 not you\r\n"},
           {"250 relay\r\n", "250 ok\r\n", "250 ok\r\n", "451 4.3.0 later\r\n"},
           {"250 relay\r\n", "250 ok\r\n", "250 ok\r\n", "550 5.1.1 nobody\r\n", "451 4.3.0 later\r\n"}}) {
    converse(replies);
    EXPECT_EQ(said(), "");
    EXPECT_EQ(outcome_.refusal.code, std::stoi(replies.back()));
    EXPECT_FALSE(outcome_.taken);
  }
}

TEST_F(BatchStreamTest, ARecipientWhoIsRefusedForGoodIsLeftOut) {
  converse({"250 relay\r\n", "250 ok\r\n", "550 5.1.1 nobody\r\n", "250 ok\r\n", "354 go\r\n"});
  EXPECT_EQ(said(), "text\r\n.\r\n");
  answer("250 queued\r\n");
  EXPECT_TRUE(outcome_.taken);
  EXPECT_EQ(outcome_.refusal.code, 0);
}

TEST_F(BatchStreamTest, WhereNobodyIsLeftTheFirstRefusalCounts) {
  converse({"250 relay\r\n", "250 ok\r\n", "550 5.1.1 nobody\r\n", "550 5.7.1 not him\r\n",
            "503 5.5.1 no recipient\r\n"});
  EXPECT_EQ(said(), "");
  EXPECT_EQ(smtp::one_line(outcome_.refusal), "550 5.1.1 nobody");
  EXPECT_FALSE(outcome_.taken);
}

// One of its recipients was refused before: that is no end for those who may be taken the next time.
TEST_F(BatchStreamTest, WhoIsRefusedForNowWaitsBesideWhoIsRefusedForGood) {
  for (const char* later : {"451 4.3.0 not now\r\n", "450 4.7.1 not today\r\n", "421 4.7.0 enough\r\n"}) {
    size_ = 0;
    outcome_ = {};
    open(std::string(head) + "text\r\n.\r\n");
    answer("220 hello\r\n");
    for (const char* reply : {"250 relay\r\n", "250 ok\r\n", "550 5.1.1 nobody\r\n", later}) {
      EXPECT_NE(said(), "");
      answer(reply);
    }
    EXPECT_EQ(said(), "");
    EXPECT_TRUE(outcome_.refusal.temporary()) << later;
  }
}

TEST_F(BatchStreamTest, WhereAllAreRefusedTheRefusalIsTheirs) {
  open(std::string(head) + "text\r\n.\r\n");
  answer("220 hello\r\n");
  for (const char* reply : {"250 relay\r\n", "250 ok\r\n", "550 5.1.1 nobody\r\n", "550 5.7.1 not he\r\n",
                            "554 5.5.1 no recipients\r\n"}) {
    EXPECT_NE(said(), "");
    answer(reply);
  }
  EXPECT_EQ(outcome_.refusal.text, "nobody");
}

TEST_F(BatchStreamTest, WhatStandsBehindTheEndIsNotSaid) {
  const std::string text = "..\r\n.x\r\n" + std::string(200'000, 'y') + "\r\n.\r\n";
  open(std::string(head) + text + "MAIL FROM:<eve@x.example>\r\n" + std::string(200'000, 'z'));
  come_to_the_content();
  EXPECT_EQ(all_said(), text);
}

TEST_F(BatchStreamTest, AFileThatGrowsIsReadAsItWas) {
  const std::string text(200'000, 'x');
  open(std::string(head) + text);
  come_to_the_content();
  append("\r\n.\r\n");
  EXPECT_EQ(all_said(), text);
}

TEST_F(BatchStreamTest, AFileThatIsNoTransactionSaysNothing) {
  for (const std::string& text :
       {std::string(), std::string("relayd drop 1\r\n"), std::string("relayd drop 2\r\nMAIL FROM:<>\r\n"),
        std::string("MAIL FROM:<>\r\n"), std::string("relayd drop 1\nMAIL FROM:<>\n"),
        std::string(200'000, 'x')}) {
    size_ = 0;
    outcome_ = {};
    open(text);
    answer("220 hello\r\n");
    EXPECT_EQ(said(), "EHLO relay.example\r\n");
    answer("250 relay\r\n");
    EXPECT_EQ(said(), "") << text.substr(0, 40);
    EXPECT_THAT(outcome_.fault, HasSubstr("envelope"));
  }
}

TEST_F(BatchStreamTest, AFileThatCannotBeReadIsTriedAgainLater) {
  open(head);
  const disk::Descriptor directory(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(::dup2(directory.number(), file_), file_);
  answer("220 hello\r\n");
  EXPECT_NE(said(), "");
  answer("250 relay\r\n");
  EXPECT_THROW(said(), async::IoError);
  EXPECT_TRUE(outcome_.refusal.temporary());
}

TEST_F(BatchStreamTest, OnceClosedItIsSilent) {
  open(head);
  stream_->close();
  EXPECT_THROW(said(), async::IoError);
  EXPECT_EQ(outcome_.refusal.code, 0);
}

}  // namespace
}  // namespace relayd
