#include "shared/telemetry/log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

namespace relayd::telemetry {
namespace {

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() {
    if (::pipe(ends) != 0) ADD_FAILURE();
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  }
  ~Pipe() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  std::string read() {
    std::string all(1 << 17, '\0');
    const ssize_t count = ::read(ends[0], all.data(), all.size());
    all.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return all;
  }
};

std::string line(Log::Format format, Log::Addresses addresses, std::initializer_list<Field> fields) {
  Pipe pipe;
  Log log(pipe.ends[1], format, Level::info, addresses);
  log.info("delivered", fields);
  const std::string text = pipe.read();
  // Behind the time, which is the only part that differs from run to run.
  return format == Log::Format::json ? text.substr(text.find("Z\"") + 2) : text.substr(text.find('Z') + 1);
}

TEST(Log, JsonIsOneObjectALine) {
  EXPECT_EQ(line(Log::Format::json, Log::Addresses::full,
                 {{"id", "abc"}, {"code", 250}, {"delay", 1.5}, {"host", ""}}),
            ",\"level\":\"info\",\"event\":\"delivered\",\"id\":\"abc\",\"code\":250,\"delay\":1.500}\n");
}

TEST(Log, AJournalReadsThePriorityOfEachLine) {
  Pipe pipe;
  Log log(pipe.ends[1], Log::Format::json, Level::debug, Log::Addresses::full);
  log.put_priorities();
  log.debug("a", {});
  log.info("b", {});
  log.warning("c", {});
  log.error("d", {});
  const std::string text = pipe.read();
  std::string priorities;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) priorities += text.substr(at, 4);
  EXPECT_EQ(priorities, "<7>{<6>{<4>{<3>{");
}

TEST(Log, TextQuotesWhatIsNoWord) {
  EXPECT_EQ(line(Log::Format::text, Log::Addresses::full, {{"id", "abc"}, {"response", "2.0.0 Ok \"x\""}}),
            " info delivered id=abc response=\"2.0.0 Ok \\\"x\\\"\"\n");
}

TEST(Log, NothingAPeerSaysBreaksALineOrMovesATerminal) {
  const std::string hostile =
      std::string("a\r\nb\x1b[2J\0c", 11) + "\xff\xc2\x9b\xe2\x80\xae\xe2\x81\xa6" + "\xc3\xa4";
  for (const auto format : {Log::Format::json, Log::Format::text}) {
    const std::string text = line(format, Log::Addresses::full, {{"response", hostile}});
    EXPECT_EQ(text.find('\n'), text.size() - 1);
    for (const char* bad : {"\x1b", "\r", "\xff", "\xc2\x9b", "\xe2\x80\xae", "\xe2\x81\xa6"})
      EXPECT_EQ(text.find(bad), std::string::npos) << text;
    EXPECT_NE(text.find("\xc3\xa4"), std::string::npos) << text;
  }
}

TEST(Log, AddressesWithinReplyAndReasonAreMaskedToo) {
  const auto shown = [](std::string_view key, const char* text) {
    const std::string whole = line(Log::Format::text, Log::Addresses::masked, {{key, text}});
    return whole.substr(whole.find(key));
  };
  EXPECT_EQ(shown("response", "5.1.1 <ann@x.example>: bob@y.example, @ and c@"),
            "response=\"5.1.1 <a***@x.example>: b***@y.example, @ and c***@\"\n");
  EXPECT_EQ(shown("reason", "\"a b\"@x.example"), "reason=\"\\\"***@x.example\"\n");
  EXPECT_EQ(shown("reason", "ann@x.example"), "reason=a***@x.example\n");
  EXPECT_EQ(shown("account", "ann@x.example"), "account=ann@x.example\n");
}

TEST(Log, MaskedAddressesKeepTheDomain) {
  EXPECT_EQ(line(Log::Format::text, Log::Addresses::masked, {{"from", "ann@example.com"}, {"id", "a@b"}}),
            " info delivered from=a***@example.com id=a@b\n");
}

TEST(Log, TypographyIsNotHidden) {
  const std::string text = "“a’s…”";
  EXPECT_NE(line(Log::Format::json, Log::Addresses::full, {{"to", text}}).find(text), std::string::npos);
}

TEST(Log, AReaderThatDoesNotReadCostsLinesAndNotMail) {
  Pipe pipe;
  Log log(pipe.ends[1], Log::Format::json, Level::info, Log::Addresses::full);
  const std::string long_text(3000, 'x');
  for (int i = 0; i < 2000; ++i)
    log.info("accepted", {{"response", long_text}});  // 6 MB, of which 1 MiB waits
  EXPECT_GT(log.dropped(), 1000u);
}

// A line of which half was in the pipe lost its other half, and the next one began there.
TEST(Log, NoLineIsTorn) {
  Pipe pipe;
  Log log(pipe.ends[1], Log::Format::json, Level::info, Log::Addresses::full);
  std::string read;
  for (int i = 0; i < 3000; ++i) {
    log.info("accepted", {{"id", std::to_string(i)}, {"response", std::string(1000 + i, 'x')}});
    if (i % 500 == 499) read += pipe.read();
  }
  std::size_t before = 0;
  do {
    before = read.size();
    log.flush();
    read += pipe.read();
  } while (read.size() > before);
  std::uint64_t lines = 0;
  for (std::size_t at = 0; at < read.size(); ++lines) {
    const std::size_t end = read.find('\n', at);
    ASSERT_NE(end, std::string::npos);
    EXPECT_EQ(read.compare(at, 8, "{\"time\":"), 0) << read.substr(at, 40);
    EXPECT_EQ(read.rfind("{\"time\":", end), at);
    at = end + 1;
  }
  EXPECT_EQ(lines + log.dropped(), 3000u);
  EXPECT_GT(log.dropped(), 0u);
}

TEST(Log, WhatAReaderDoesNotTakeIsTriedAgain) {
  Pipe pipe;
  Log log(pipe.ends[1], Log::Format::json, Level::info, Log::Addresses::full);
  std::vector<Duration> asked;
  log.on_pending([&asked](Duration after) { asked.push_back(after); });
  for (int i = 0; i < 100; ++i) log.info("accepted", {{"response", std::string(1000, 'x')}});
  ASSERT_EQ(asked.size(), 1u) << "one flush for all that is written in its time";
  log.flush();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked.back(), asked.front()) << "it took some, and may soon take more";
  log.flush();
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_GT(asked.back(), asked.front());
  const std::string begin = pipe.read();
  log.flush();
  EXPECT_EQ(asked.size(), 3u);
  EXPECT_TRUE((begin + pipe.read()).ends_with("}\n"));
  EXPECT_EQ(log.dropped(), 0u);
}

// A message of so many recipients is settled in one go: nobody could have read in between.
TEST(Log, WhatIsWrittenInOneGoIsKeptForAReaderThatTakesIt) {
  Pipe pipe;
  Log log(pipe.ends[1], Log::Format::json, Level::info, Log::Addresses::full);
  log.on_pending([](Duration) {});
  for (int i = 0; i < 10000; ++i) log.info("delivered", {{"id", i}, {"response", std::string(400, 'x')}});
  log.flush();
  std::string read = pipe.read();
  log.info("delivered", {{"id", 10000}});  // while it is being read
  for (std::size_t before = 0; before < read.size();) {
    before = read.size();
    log.flush();
    read += pipe.read();
  }
  EXPECT_EQ(log.dropped(), 0u);
  EXPECT_EQ(std::count(read.begin(), read.end(), '\n'), 10001);
}

TEST(Log, AReaderThatTakesNothingHasLittleKeptForIt) {
  Pipe pipe;
  Log log(pipe.ends[1], Log::Format::json, Level::info, Log::Addresses::full);
  log.on_pending([](Duration) {});
  const auto write = [&log](int lines) {
    for (int i = 0; i < lines; ++i) log.info("delivered", {{"response", std::string(1000, 'x')}});
  };
  write(100);
  log.flush();  // the pipe is full
  log.flush();
  write(2000);
  EXPECT_GT(log.dropped(), 900u);
  EXPECT_LT(log.dropped(), 1200u);
}

TEST(Log, NeitherIsThereNoEndOfWhatIsWrittenInOneGo) {
  Pipe pipe;
  Log log(pipe.ends[1], Log::Format::json, Level::info, Log::Addresses::full);
  log.on_pending([](Duration) {});
  for (int i = 0; i < 2000; ++i) log.info("delivered", {{"response", std::string(10000, 'x')}});
  EXPECT_GT(log.dropped(), 100u);
}

TEST(Log, LinesBelowTheLevelAreNotWritten) {
  Pipe pipe;
  Log log(pipe.ends[1], Log::Format::json, Level::warning, Log::Addresses::full);
  log.info("accepted", {});
  EXPECT_EQ(pipe.read(), "");
}

}  // namespace
}  // namespace relayd::telemetry
