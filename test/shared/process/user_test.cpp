#include "shared/process/user.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace relayd::process {
namespace {

TEST(UserTest, IsFoundByName) {
  const Result<User> root = find_user("root");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->uid, 0u);
  EXPECT_EQ(root->gid, 0u);
  EXPECT_FALSE(root->home.empty());
}

TEST(UserTest, IsFoundByNumberWithOrWithoutAnEntry) {
  EXPECT_EQ(find_user("0")->name, "root");
  const Result<User> nobody_knows = find_user("54321");
  ASSERT_TRUE(nobody_knows);
  EXPECT_EQ(nobody_knows->uid, 54321u);
  EXPECT_EQ(nobody_knows->gid, 54321u);
  EXPECT_EQ(nobody_knows->name, "uid 54321");
}

TEST(UserTest, IsNotMadeUp) {
  for (const char* const name : {"no-user-of-that-name", "", "54321x", "-1", " 0", "4294967296"})
    EXPECT_FALSE(find_user(name)) << name;
  EXPECT_FALSE(find_user("4294967295"));  // which setresuid takes for "as it is"
}

TEST(UserTest, OwnsFiles) {
  EXPECT_EQ(owner_of("/")->uid, 0u);
  EXPECT_FALSE(owner_of("/there/is/nothing"));
  EXPECT_EQ(this_user().uid, ::geteuid());
}

}  // namespace
}  // namespace relayd::process
