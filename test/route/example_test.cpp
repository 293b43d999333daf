// config.example.yaml shows the defaults that an upstream has at last.
#include <gtest/gtest.h>

#include "route/upstream.hpp"
#include "shared/config/example_text.hpp"
#include "shared/config/readable.hpp"

namespace relayd::route {
namespace {

TEST(Example, AnUpstreamShowsItsDefaults) {
  const config::Config example =
      config::read_what_can_be(config::switched_on(), "config.example.yaml", {}).config;
  const config::Upstream* const office = example.upstream("office");
  ASSERT_TRUE(office);
  config::Upstream plain;
  plain.host = "smtp.example.net";
  std::vector<std::string> errors;
  const Upstream usual = effective_upstream(plain, errors);
  const config::UpstreamLimits& shown = office->limits;
  EXPECT_EQ(shown.connections, usual.limits.connections);
  EXPECT_EQ(shown.connections_total, usual.limits.connections_total);
  EXPECT_EQ(shown.messages_per_connection, usual.limits.messages_per_connection);
  EXPECT_EQ(shown.recipients_per_message, usual.limits.recipients_per_message);
  EXPECT_EQ(shown.idle, usual.limits.idle);
  EXPECT_EQ(office->pipelining, usual.pipelining);
}

}  // namespace
}  // namespace relayd::route
