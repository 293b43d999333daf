#include "settle/told_limit.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <utility>

namespace relayd::settle {
namespace {

using namespace std::chrono_literals;
using config::Counted;
using config::Rate;
using enum smtp::Cap;

TEST(ToldCount, IsRead) {
  for (const auto& [text, count] : std::initializer_list<std::pair<const char*, std::uint32_t>>{
           {"maximum 100 recipients per message", 100},
           {"Too many recipients (max. 50)", 50},
           {"too many recipients, limit is 1,000.", 1000},
           {"Limit: 25 recipients", 25},
           {"you sent 120 recipients, only 100 allowed", 100},
           {"up to 10 per message", 10},
           {"recipients_limit=40", 40},
       })
    EXPECT_EQ(told_count(text, recipients_per_message), count) << text;
  EXPECT_EQ(told_count("max 10 connections", connections), 10U);
  EXPECT_EQ(told_count("10 concurrent SMTP connections", connections_total), 10U);
  EXPECT_EQ(told_count("(mail_max_userip_connections=10)", connections), 10U);
  EXPECT_EQ(told_count("25 messages per connection", messages_per_connection), 25U);
}

TEST(ToldCount, IsNoneWhereTheNumberIsOfSomethingElse) {
  for (const char* text :
       {"", "Too many recipients", "Too many recipients (120)", "try again in 10 seconds", "max 3 errors",
        "limit 4.5.3", "limit 192.0.2.1", "limit 00:10", "limit is 0", "limit is 99999999999",
        "limit is 2000000", "limit is -5", "limit is #5", "id 5", "25 messages per connection", "limit 10a"})
    EXPECT_EQ(told_count(text, recipients_per_message), 0U) << text;
  for (const char* text :
       {"max 1 connection per second", "limit is 30 connections / minute", "limit is 5 per hour"})
    EXPECT_EQ(told_count(text, connections_total), 0U) << text;
}

TEST(ToldRate, IsRead) {
  for (const auto& [text, rate] : std::initializer_list<std::pair<const char*, Rate>>{
           {"limit of 50 per hour", {50, 1h}},
           {"Maximum messages sent per minute reached : limit is 10", {10, 1min, Counted::messages}},
           {"You may send 100 messages an hour.", {100, 1h, Counted::messages}},
           {"rate limit exceeded (14/s)", {14, 1s}},
           {"30 emails / minute", {30, 1min, Counted::messages}},
           {"at most 500 recipients per hour, 20 per minute", {500, 1h}},
           {"max 20 recipients each second", {20, 1s}},
       })
    EXPECT_EQ(told_rate(text), rate) << text;
}

TEST(ToldRate, IsNoneWhereItIsNotTheAccounts) {
  for (const char* text :
       {"", "too fast", "limit is 10", "try again in 10 minutes", "wait a minute, limit is 10", "10 per day",
        "10 messages per hour to this recipient", "10 per hour from this sender", "10 per recipient per hour",
        "limit for this mailbox is 10 per hour", "destination takes 10 messages per minute",
        "10 per hour, this user has had more"})
    EXPECT_EQ(told_rate(text), std::nullopt) << text;
}

}  // namespace
}  // namespace relayd::settle
