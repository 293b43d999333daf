#include "tell/publisher.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/quiet_log.hpp"

namespace relayd::tell {
namespace {

using testing::ElementsAre;

const smtp::Event taken(smtp::Stage::final_dot, smtp::Reply{250, {}, "Ok"});
const Outcome delivered{.fate = Fate::delivered, .to = "b@example.org", .event = taken};
const GivenUp late{Ending::expired, "1j0m0u4e32g", {}, "a@example.org", {}, {}, "too late", 1};

TEST(Publisher, TellsAllInTheOrderInWhichTheySubscribed) {
  test::QuietLog log;
  Publisher publisher(log);
  std::vector<std::string> heard;
  for (const char* name : {"first", "second"})
    publisher.subscribe(
        {.attempted = [&heard, name](const Outcome& o) { heard.push_back(name + (" " + std::string(o.to))); },
         .given_up = [&heard,
                      name](const GivenUp& g) { heard.push_back(name + (" " + std::string(g.id))); }});
  publisher.publish(delivered);
  publisher.publish(late);
  EXPECT_THAT(heard, ElementsAre("first b@example.org", "second b@example.org", "first 1j0m0u4e32g",
                                 "second 1j0m0u4e32g"));
}

TEST(Publisher, SparesWhoDoesNotWantToHear) {
  test::QuietLog log;
  Publisher publisher(log);
  int heard = 0;
  publisher.subscribe({.given_up = [&heard](const GivenUp&) { ++heard; }});
  publisher.publish(delivered);
  EXPECT_EQ(heard, 0);
  publisher.publish(late);
  EXPECT_EQ(heard, 1);
}

}  // namespace
}  // namespace relayd::tell
