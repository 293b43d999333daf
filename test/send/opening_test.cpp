#include "send/opening.hpp"

#include <gtest/gtest.h>

namespace relayd::send {
namespace {

using namespace std::chrono_literals;

// So many connections open one after the other while so many messages wait.
std::size_t connections_for(std::size_t waiting, const Opening& opening) {
  std::size_t connections = 1;
  while (connections < 1000 && opening.pays(waiting, connections)) ++connections;
  return connections;
}

Opening after(int times, Duration opened, Duration sent) {
  Opening opening;
  for (int i = 0; i < times; ++i) {
    opening.opened(opened);
    opening.sent(sent);
  }
  return opening;
}

TEST(Opening, AtFirstAConnectionMoreIsForSomeMessages) {
  EXPECT_EQ(connections_for(19, Opening()), 1U);
  EXPECT_EQ(connections_for(100, Opening()), 6U);
}

TEST(Opening, FarAwayALongLineIsWorthManyConnections) {
  const Opening opening = after(50, 350ms, 50ms);
  EXPECT_EQ(connections_for(1, opening), 1U);
  EXPECT_EQ(connections_for(1000, opening), 72U);
}

TEST(Opening, NearbyTheConnectionThatThereIsIsSooner) {
  const Opening opening = after(50, 5ms, 300us);
  EXPECT_EQ(connections_for(30, opening), 1U);
}

TEST(Opening, ASlowUpstreamGetsMore) {
  const Opening opening = after(50, 5ms, 1s);
  EXPECT_GT(connections_for(5, opening), 100U);
}

TEST(Opening, OneSlowHandshakeIsNoMeasure) {
  Opening opening;
  opening.opened(5min);
  EXPECT_LE(opening.patience(), 100ms);
  EXPECT_GT(connections_for(700, opening), 10U);
}

TEST(Opening, NobodyIsStuckForLongerThanASecond) {
  EXPECT_EQ(after(100, 1min, 1ms).patience(), 1s);
}

}  // namespace
}  // namespace relayd::send
