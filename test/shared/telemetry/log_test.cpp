#include "shared/telemetry/log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

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

TEST(Log, TextQuotesWhatIsNoWord) {
  EXPECT_EQ(line(Log::Format::text, Log::Addresses::full, {{"id", "abc"}, {"response", "2.0.0 Ok \"x\""}}),
            " info delivered id=abc response=\"2.0.0 Ok \\\"x\\\"\"\n");
}

TEST(Log, NothingAPeerSaysBreaksALineOrMovesATerminal) {
  const std::string hostile = std::string("a\r\nb\x1b[2J\0c", 11) + "\xff\xc2\x9b\xe2\x80\xae" + "\xc3\xa4";
  for (const auto format : {Log::Format::json, Log::Format::text}) {
    const std::string text = line(format, Log::Addresses::full, {{"response", hostile}});
    EXPECT_EQ(text.find('\n'), text.size() - 1);
    for (const char* bad : {"\x1b", "\r", "\xff", "\xc2\x9b", "\xe2\x80\xae"})
      EXPECT_EQ(text.find(bad), std::string::npos) << text;
    EXPECT_NE(text.find("\xc3\xa4"), std::string::npos) << text;
  }
}

TEST(Log, MaskedAddressesKeepTheDomain) {
  EXPECT_EQ(line(Log::Format::text, Log::Addresses::masked, {{"from", "ann@example.com"}, {"id", "a@b"}}),
            " info delivered from=a***@example.com id=a@b\n");
}

TEST(Log, AReaderThatDoesNotReadCostsLinesAndNotMail) {
  Pipe pipe;
  Log log(pipe.ends[1], Log::Format::json, Level::info, Log::Addresses::full);
  const std::string long_text(3000, 'x');
  for (int i = 0; i < 200; ++i) log.info("accepted", {{"response", long_text}});  // 600 KB into a pipe of 64
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
