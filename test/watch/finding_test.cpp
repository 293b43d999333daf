#include "watch/finding.hpp"

#include <gtest/gtest.h>

namespace relayd::watch {
namespace {

TEST(FindingTest, IsOneLineThatSaysWhatToChange) {
  Finding finding{Health::failed,  Step::auth, "ses",        "app",
                  "192.0.2.1:587", "535 no",   "Correct it", "f.yaml:3"};
  EXPECT_EQ(to_text(finding), "ses as app auth 192.0.2.1:587: 535 no. Correct it (f.yaml:3)");
  finding.account = finding.at = finding.advice = finding.where = "";
  EXPECT_EQ(to_text(finding), "ses auth: 535 no");
  finding.upstream = "";
  EXPECT_EQ(to_text(finding), "auth: 535 no");
}

TEST(FindingTest, IsOneObjectForScripts) {
  Finding finding{Health::warning, Step::tls, "ses", "", "192.0.2.1:587", "it ends", "Renew it"};
  finding.until = WallTime{std::chrono::seconds(1'790'000'000)};
  EXPECT_EQ(to_line(finding),
            "{\"advice\":\"Renew it\",\"at\":\"192.0.2.1:587\",\"state\":\"warning\",\"step\":\"tls\","
            "\"text\":\"it ends\",\"until\":\"2026-09-21T14:13:20Z\",\"upstream\":\"ses\"}");
}

TEST(FindingTest, TheWorstCounts) {
  EXPECT_EQ(worst({}), Health::ok);
  EXPECT_EQ(worst({{.health = Health::warning}, {.health = Health::ok}, {.health = Health::note}}),
            Health::warning);
}

}  // namespace
}  // namespace relayd::watch
