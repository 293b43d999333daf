#include "shared/process/confinement.hpp"

#include <gtest/gtest.h>

namespace relayd::process {
namespace {

const Needs granted{{"/var/spool/relayd", "/srv/box"}, {"/run/relayd/smtp.sock"}, false};

// What `confine` itself does is irreversible, and is tried from inside of a process in confinement_test.py.

TEST(BeyondTest, NothingIsMissingOfWhatWasGranted) {
  EXPECT_TRUE(beyond(granted, granted).empty());
  EXPECT_TRUE(beyond(granted, {{"/srv/box/inner", "/srv/box"}, {}, false}).empty());
}

TEST(BeyondTest, ADirectoryThatOnlyBeginsAlikeIsMissing) {
  const std::vector<std::string> missing{"/srv/box2", "/srv"};
  EXPECT_EQ(beyond(granted, {{"/srv/box2", "/srv"}, {}, false}), missing);
}

TEST(BeyondTest, EverythingIsBeneathTheRoot) {
  EXPECT_TRUE(beyond({{"/"}, {}, false}, {{"/srv/box"}, {}, false}).empty());
}

TEST(BeyondTest, ProgramsAreMissingWhereNoneWereNeeded) {
  EXPECT_EQ(beyond(granted, {{}, {}, true}), std::vector<std::string>{"command"});
  EXPECT_TRUE(beyond({{}, {}, true}, {{}, {}, false}).empty());
}

TEST(ConfinementTest, SaysWhatHoldsAndWhatDoesNot) {
  EXPECT_EQ(to_string({granted, 4, true, ""}), "Landlock 4, seccomp");
  EXPECT_EQ(to_string({granted, 0, true, "Landlock: Function not implemented"}),
            "seccomp; without Landlock: Function not implemented");
  EXPECT_EQ(to_string({granted, 0, false, "both"}), "without both");
}

}  // namespace
}  // namespace relayd::process
