// Request: what the window understands, and what it refuses before anything is changed.
#include "watch/admin_request.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::watch {
namespace {

using testing::HasSubstr;

Request request(const std::string& command) {
  Request request;
  request.command = command;
  return request;
}

TEST(AdminRequest, ArrivesAsItWasSent) {
  Request sent = request("retry");
  sent.ids = {"1j0m0u4e32g", "1j0m0u5ke2n"};
  sent.all = sent.body = sent.failed = true;
  sent.sender = "@example.com";
  sent.recipient = "bob@\"x\".example";
  sent.upstream = "office";
  sent.state = "held";
  const Result<Request> read = parse_request(to_line(sent));
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(to_line(*read), to_line(sent));
}

TEST(AdminRequest, LooksNeedNeitherIdsNorFilter) {
  for (const char* command : {"list", "status", "health", "reload"})
    EXPECT_TRUE(parse_request(to_line(request(command))));
}

TEST(AdminRequest, AChangeOfEverythingMustBeMeant) {
  for (const char* command : {"retry", "hold", "release", "delete"}) {
    Request all = request(command);
    const Result<Request> refused = parse_request(to_line(all));
    ASSERT_FALSE(refused) << command;
    EXPECT_THAT(refused.error(), HasSubstr("--all"));
    all.all = true;
    EXPECT_TRUE(parse_request(to_line(all)));
  }
}

TEST(AdminRequest, ThatNothingWasTakenIsSaidOfMessagesOneByOne) {
  Request known = request("retry");
  known.not_taken = known.all = true;
  EXPECT_FALSE(parse_request(to_line(known)));
  known.ids = {"1j0m0u4e32g"};
  EXPECT_TRUE(parse_request(to_line(known)));
  known.state = "held";
  EXPECT_FALSE(parse_request(to_line(known)));
  known.state = "";
  known.command = "release";
  EXPECT_FALSE(parse_request(to_line(known)));
}

TEST(AdminRequest, ARetryConcernsWhatHasFailedOnlyWhereThatIsAskedFor) {
  Request retry = request("retry");
  retry.all = true;
  EXPECT_FALSE(retry.concerns(true));
  EXPECT_TRUE(retry.concerns(false));
  retry.sender = "@example.com";
  EXPECT_FALSE(retry.concerns(true));
  for (const std::string state : {"waiting", "held"}) {
    retry.state = state;
    EXPECT_FALSE(retry.concerns(true)) << state;
  }
  retry.state = "failed";
  EXPECT_TRUE(retry.concerns(true));
  Request failed = request("retry");
  failed.failed = true;
  ASSERT_TRUE(parse_request(to_line(failed)));
  EXPECT_TRUE(parse_request(to_line(failed))->failed);
  EXPECT_TRUE(failed.concerns(true));
  EXPECT_FALSE(failed.concerns(false));
  Request one = request("retry");
  one.ids = {"1j0m0u4e32g"};
  EXPECT_TRUE(one.concerns(true));
  EXPECT_TRUE(one.concerns(false));
}

TEST(AdminRequest, OtherCommandsConcernEverything) {
  for (const char* command : {"list", "hold", "release", "delete"}) {
    EXPECT_TRUE(request(command).concerns(true));
    EXPECT_TRUE(request(command).concerns(false));
  }
  Request failed = request("delete");
  failed.failed = true;
  EXPECT_FALSE(parse_request(to_line(failed)));
}

TEST(AdminRequest, WhatIsNoRequestIsRefused) {
  for (const char* line : {"", "{}", "[]", "status", "{\"command\":1}", "{\"command\":\"stop\"}",
                           "{\"command\":\"show\"}", "{\"command\":\"list\",\"ids\":[1]}"})
    EXPECT_FALSE(parse_request(line)) << line;
}

TEST(AdminRequest, APatternIsAnAddressOrADomain) {
  EXPECT_TRUE(fits("", "ann@example.com"));
  EXPECT_TRUE(fits("Ann@EXAMPLE.com", "ann@example.com"));
  EXPECT_TRUE(fits("@Example.com", "ann@example.com"));
  EXPECT_FALSE(fits("@ample.com", "ann@example.com"));
  EXPECT_FALSE(fits("bob@example.com", "ann@example.com"));
}

}  // namespace
}  // namespace relayd::watch
