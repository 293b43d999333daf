// What the operator sees of a message beside what the queue has in memory.
#include "watch/listing.hpp"

#include <gtest/gtest.h>

namespace relayd::watch {
namespace {

using nlohmann::json;
using queue::HistoryEvent;
using queue::RecipientState;

mail::Envelope to(std::initializer_list<const char*> addresses) {
  mail::Envelope envelope;
  for (const char* address : addresses) envelope.recipients.emplace_back().address = address;
  return envelope;
}

HistoryEvent attempt(std::uint32_t recipient, std::uint16_t code, const std::string& text) {
  HistoryEvent event;
  event.outcome.recipients.push_back({recipient, RecipientState::pending, code, text});
  return event;
}

TEST(Listing, NamesTheFirstWhoIsStillToBeSentAndWhyHeWaits) {
  const std::string row =
      with_details("{\"id\":\"x\"}\n", to({"a@x.example", "b@x.example", "c@x.example"}),
                   {RecipientState::delivered, RecipientState::doubtful, RecipientState::pending},
                   {attempt(1, 451, "4.3.0 Earlier"), attempt(1, 450, "4.2.1 Later"),
                    attempt(2, 421, "Other"), HistoryEvent()});
  EXPECT_EQ(json::parse(row),
            json::parse(R"({"id": "x", "to": "b@x.example", "to_count": 2, "reason": "450 4.2.1 Later"})"));
  EXPECT_EQ(row.back(), '\n');
}

TEST(Listing, OfAMessageThatFailedItNamesTheFirst) {
  const std::string row = with_details("{}\n", to({"a@x.example"}), {RecipientState::failed},
                                       {attempt(0, 0, "Connection refused")});
  EXPECT_EQ(json::parse(row),
            json::parse(R"({"to": "a@x.example", "to_count": 0, "reason": "Connection refused"})"));
}

TEST(Listing, WithoutAnAttemptThereIsNoReason) {
  EXPECT_EQ(json::parse(with_details("{}\n", to({"a@x.example"}), {RecipientState::pending}, {})),
            json::parse(R"({"to": "a@x.example", "to_count": 1})"));
}

TEST(Listing, RoutesNameTheirRule) {
  EXPECT_EQ(describe_routes({{"@x.example", "relayd.yaml:3", {{"ses", "app"}, {"backup", ""}}}}),
            json::parse(R"([
      {"rule": "@x.example", "where": "relayd.yaml:3",
       "upstreams": [{"upstream": "ses", "account": "app"}, {"upstream": "backup", "account": ""}]}])"));
}

}  // namespace
}  // namespace relayd::watch
