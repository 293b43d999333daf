// The keys of reports to senders.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shared/config/config.hpp"
#include "shared/config/test_config.hpp"

namespace relayd::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view rest =
    "upstreams: {office: {host: smtp.example.net}}\n"
    "senders: [{match: '@example.com', upstream: office}, {match: 'news@example.com', reject: '550 5.7.1 "
    "No'}]\n"
    "queue: {lifetime: 2d}\n";

Bounce bounce(const std::string& text) {
  return good(std::string(rest) + "bounce: {" + text + "}\n").bounce;
}
std::string complaints(const std::string& text) {
  return errors(std::string(rest) + "bounce: {" + text + "}\n");
}

TEST(BounceKeys, WithoutThemNoReportIsWritten) {
  EXPECT_EQ(good(rest).bounce.from, "");
  EXPECT_EQ(bounce("").from, "");
}

TEST(BounceKeys, HaveTheirDefaults) {
  const Bounce read = bounce("from: mailer-daemon@example.com");
  EXPECT_EQ(read.from, "mailer-daemon@example.com");
  EXPECT_TRUE(read.to_sender);
  EXPECT_THAT(read.to, IsEmpty());
  EXPECT_THAT(read.delay_warning, IsEmpty());
  EXPECT_EQ(read.content, Bounce::Content::headers);
  EXPECT_EQ(to_string(read.limit), "100 messages/h");
}

TEST(BounceKeys, HaveAllTheirFields) {
  const Bounce read = bounce(
      "from: d@example.com, to: [sender, ops@x.example], delay_warning: [4h, 1d], content: full, limit: 5/m");
  EXPECT_TRUE(read.to_sender);
  EXPECT_THAT(read.to, ElementsAre("ops@x.example"));
  EXPECT_THAT(read.delay_warning, ElementsAre(4h, 24h));
  EXPECT_EQ(read.content, Bounce::Content::full);
  EXPECT_EQ(to_string(read.limit), "5 messages/m");
}

TEST(BounceKeys, AnAddressStandsInThePlaceOfTheSender) {
  const Bounce read = bounce("from: d@example.com, to: ops@x.example");
  EXPECT_FALSE(read.to_sender);
  EXPECT_THAT(read.to, ElementsAre("ops@x.example"));
  EXPECT_TRUE(bounce("from: d@example.com, to: sender").to_sender);
}

TEST(BounceKeys, AnAgeMayStandAlone) {
  EXPECT_THAT(bounce("from: d@example.com, delay_warning: 4h").delay_warning, ElementsAre(4h));
  EXPECT_THAT(complaints("from: d@example.com, delay_warning: 2d"), HasSubstr("'queue.lifetime'"));
}

TEST(BounceKeys, ReportsNeedARule) {
  EXPECT_THAT(complaints("from: d@example.net"), HasSubstr("no rule of 'senders' is for 'd@example.net'"));
  EXPECT_THAT(complaints("from: News@example.com"), HasSubstr("rejects 'News@example.com'"));
}

TEST(BounceKeys, AVariableGivesTheAddress) {
  const Loaded loaded =
      load_environment({{"RELAYD_HOST", "smtp.example.net"}, {"RELAYD_BOUNCE_FROM", "d@x.example"}});
  ASSERT_TRUE(loaded.config) << lines(loaded.errors);
  EXPECT_EQ(loaded.config->bounce.from, "d@x.example");
}

}  // namespace
}  // namespace relayd::config
