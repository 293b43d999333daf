#include "settle/reading.hpp"

#include <gtest/gtest.h>

#include "settle/verdict.hpp"

namespace relayd::settle {
namespace {

using namespace std::chrono_literals;

TEST(OwnWords, HoldNoAddress) {
  EXPECT_EQ(own_words(Stage::final_dot, "too <many connections@nx> fast"), "too @ fast");
  EXPECT_EQ(own_words(Stage::final_dot, "no throttle@nx here"), "no @ here");
  EXPECT_EQ(own_words(Stage::final_dot, "no \"too fast\"@nx here"), "no @ here");
  EXPECT_EQ(own_words(Stage::final_dot, "\"too fast\"@nx"), "@");
  EXPECT_EQ(own_words(Stage::final_dot, "cut <too fa"), "cut @");
  EXPECT_EQ(own_words(Stage::final_dot, "\"@nx"), "@");
  EXPECT_EQ(own_words(Stage::rcpt, "no \"too fast\" here"), "no @ here");
  EXPECT_EQ(own_words(Stage::rcpt, "no <\"a> too fast <b\"@nx> here"), "no @ here");
  EXPECT_EQ(own_words(Stage::rcpt, "no \"a\" too fast \"b\"@nx here"), "no @ here");
  EXPECT_EQ(own_words(Stage::rcpt, "cut \"too fast"), "cut @");
  EXPECT_EQ(own_words(Stage::rcpt, "\"@nx"), "@");
  EXPECT_EQ(own_words(Stage::rcpt, "no throttle.example, nor 192.0.2.1."), "no @ nor @");
}

TEST(OwnWords, AreKept) {
  EXPECT_EQ(own_words(Stage::final_dot, "STOREDRV.Submission said \"no\""),
            "STOREDRV.Submission said \"no\"");
  EXPECT_EQ(own_words(Stage::rcpt, "<b@example.org>: Rate limit. Wait"), "@ Rate limit. Wait");
  EXPECT_EQ(own_words(Stage::rcpt, "Relay limit\nexceeded\tnow"), "Relay limit exceeded now");
  EXPECT_EQ(own_words(Stage::rcpt, " two  spaces "), " two  spaces ");
  EXPECT_EQ(own_words(Stage::rcpt, ""), "");
}

TEST(ToldWait, IsRead) {
  for (const auto& [text, wait] : std::initializer_list<std::pair<const char*, std::chrono::seconds>>{
           {"Too many messages. Try again in 92 seconds.", 92s},
           {"please try again in 5 minutes", 5min},
           {"Try again after 1 hour", 1h},
           {"RETRY AFTER 60", 60s},
           {"retry in 30.", 30s},
           {"retry in 30s", 30s},
           {"(retry in 30)", 30s},
           {"retry in 30, please", 30s},
           {"Please wait for 10 min and try", 10min},
           {"wait at least 2 hrs", 1h},
           {"you must wait another 7 secs", 7s},
           {"wait 0 seconds", 1s},
           {"wait 99999999999999999999 seconds", 1h},
           {"wait 4000000000 hours", 1h},
           {"do not wait 3 attempts, try again in 4 seconds", 4s},
       })
    EXPECT_EQ(told_wait(text), wait) << text;
}

TEST(ToldWait, IsNoneWhereNoTimeIsTold) {
  for (const char* text : {"", "try again later", "try again in a few minutes", "await 5 seconds",
                           "retry in 00:04:32", "wait 3 attempts", "retry after 192.0.2.1", "try again in",
                           "try again in ", "wait -5 seconds", "5 seconds"})
    EXPECT_EQ(told_wait(text), 0s) << text;
}

}  // namespace
}  // namespace relayd::settle
