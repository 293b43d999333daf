#include "shared/dns/message.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/dns_wire.hpp"

namespace relayd::dns {
namespace {

using namespace test;
using testing::HasSubstr;

std::string query(std::string_view name, unsigned type) {
  return std::string(12, '\0') + name_octets(name) + number(type) + number(1);
}
std::string answer(std::string_view name, unsigned type, const std::vector<std::string>& records) {
  return answer_to(query(name, type), records);
}

TEST(DnsMessage, TellsMxRecordsWithTheLeastOfTheirTimes) {
  const auto told =
      read_answer(answer("example.net", dns_type::mx,
                         {record("Example.NET", dns_type::mx, mx_data(10, "MX1.example.net"), 300),
                          record("example.net", dns_type::mx, mx_data(20, "mx2.example.net"), 60)}),
                  "example.net", RecordType::mx);
  ASSERT_TRUE(told) << told.error();
  ASSERT_EQ(told->records.size(), 2U);
  EXPECT_EQ(told->records[0].preference, 10);
  EXPECT_EQ(told->records[0].data, "mx1.example.net");
  EXPECT_EQ(told->ttl, 60U);
}

TEST(DnsMessage, TellsSrvRecords) {
  const auto told = read_answer(answer("_submissions._tcp.example.net", dns_type::srv,
                                       {record("_submissions._tcp.example.net", dns_type::srv,
                                               srv_data(1, 2, 465, "smtp.example.net"))}),
                                "_submissions._tcp.example.net", RecordType::srv);
  ASSERT_TRUE(told) << told.error();
  EXPECT_EQ(told->records.at(0), (ResourceRecord{1, 2, 465, "smtp.example.net"}));
}

TEST(DnsMessage, FollowsCnamesAndCountsTheirTimes) {
  const auto told =
      read_answer(answer("example.net", dns_type::mx,
                         {record("one.example", dns_type::mx, mx_data(1, "mx.one.example"), 500),
                          record("example.net", dns_type::cname, name_octets("one.example"), 30)}),
                  "example.net", RecordType::mx);
  ASSERT_TRUE(told) << told.error();
  EXPECT_EQ(told->name, "one.example");
  EXPECT_EQ(told->records.size(), 1U);
  EXPECT_EQ(told->ttl, 30U);
}

TEST(DnsMessage, CnamesInACircleAreAnError) {
  const auto told = read_answer(answer("a.example", dns_type::mx,
                                       {record("a.example", dns_type::cname, name_octets("b.example")),
                                        record("b.example", dns_type::cname, name_octets("a.example"))}),
                                "a.example", RecordType::mx);
  ASSERT_FALSE(told);
  EXPECT_THAT(told.error(), HasSubstr("in a circle"));
}

TEST(DnsMessage, ARecordOfAnotherNameDoesNotCount) {
  const auto told = read_answer(answer("example.net", dns_type::mx,
                                       {record("evil.example", dns_type::mx, mx_data(1, "mx.evil.example"))}),
                                "example.net", RecordType::mx);
  ASSERT_FALSE(told);
  EXPECT_THAT(told.error(), HasSubstr("for another name"));
}

TEST(DnsMessage, ATimeWithItsHighestBitSetIsNone) {
  const auto told =
      read_answer(answer("example.net", dns_type::mx,
                         {record("example.net", dns_type::mx, mx_data(1, "mx.example"), 0x80000001)}),
                  "example.net", RecordType::mx);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->ttl, 0U);
}

TEST(DnsMessage, ADotWithinALabelIsNoDotBetweenLabels) {
  std::string message = name_octets("aXb.example");
  message[2] = '.';
  std::size_t place = 0;
  const Result<std::string> name = read_name(message, place);
  ASSERT_TRUE(name);
  EXPECT_EQ(*name, "a\\046b.example");
  EXPECT_EQ(place, message.size());
}

TEST(DnsMessage, PointersInACircleAreNoName) {
  for (const std::string& message : {std::string("\xc0\x00", 2), std::string("\x01\x61\xc0\x00", 4)}) {
    std::size_t place = 0;
    EXPECT_FALSE(read_name(message, place));
  }
}

TEST(DnsMessage, IsBrokenWhereverItIsCut) {
  const std::string whole = answer("example.net", dns_type::mx,
                                   {record("example.net", dns_type::mx, mx_data(1, "mx.example.net"))});
  ASSERT_TRUE(read_answer(whole, "example.net", RecordType::mx));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(read_answer(std::string_view(whole).substr(0, size), "example.net", RecordType::mx)) << size;
}

TEST(DnsMessage, AHostThatDoesNotFillItsRecordIsBroken) {
  EXPECT_FALSE(read_answer(answer("example.net", dns_type::mx,
                                  {record("example.net", dns_type::mx, mx_data(1, "mx.example") + "x")}),
                           "example.net", RecordType::mx));
}

}  // namespace
}  // namespace relayd::dns
