// The metrics of how a relay stands.
#include "watch/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::watch {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

constexpr WallTime noon = std::chrono::sys_days(std::chrono::year(2026) / 11 / 20) + 12h;

TEST(StandingMetrics, ShowQueueClientsAndConfiguration) {
  Status status;
  status.now = noon;
  status.uptime = 1h;
  status.totals = {.waiting = 14, .ready = 1, .held = 2, .failed = 3, .reporting = 8, .troubles = 4};
  status.totals.octets = {100_B, 200_B, 300_B, 400_B, 500_B};
  status.totals.held_in_doubt = 9;
  status.oldest = {queue::MessageId{}, noon - 47min};
  status.clients = {5, 6};
  status.suppressed = {true, 7};
  status.configuration = {.loaded = noon - 90s, .errors = 2, .taken = 3, .refused = 1};
  status.disk_free = Bytes{1000};
  status.disk.files = Bytes{500};
  status.disk.state.add(2ms);
  const std::string text = metrics_text(status, {});
  for (const char* const line :
       {"relayd_queue_messages{state=\"waiting\"} 14\n",
        "relayd_queue_messages{state=\"held\"} 2\n",
        "relayd_queue_messages{state=\"reporting\"} 8\n",
        "relayd_queue_messages_bytes{state=\"waiting\"} 100\n",
        "relayd_queue_messages_bytes{state=\"reporting\"} 500\n",
        "relayd_queue_held_in_doubt 9\n",
        "relayd_queue_oldest_age_seconds 2820\n",
        "relayd_queue_troubles_total 4\n",
        "relayd_client_connections{state=\"local\"} 5\n",
        "relayd_client_connections{state=\"remote\"} 6\n",
        "relayd_suppressed_recipients 7\n",
        "relayd_configuration_errors 2\n",
        "relayd_start_time_seconds 1795172400\n",
        "relayd_configuration_age_seconds 90\n",
        "relayd_reloads_total{state=\"taken\"} 3\n",
        "relayd_reloads_total{state=\"refused\"} 1\n",
        "relayd_queue_disk_free_bytes 1000\n",
        "relayd_queue_files_bytes 500\n",
        "relayd_queue_sync_duration_seconds_bucket{class=\"state\",le=\"0.001\"} 0\n",
        "relayd_queue_sync_duration_seconds_bucket{class=\"state\",le=\"0.0025\"} 1\n",
        "relayd_queue_sync_duration_seconds_sum{class=\"state\"} 0.002\n"})
    EXPECT_THAT(text, HasSubstr(std::string("\n") + line));
}

TEST(StandingMetrics, OfOpenMetricsEndWithItsMark) {
  Status status;
  const std::vector<telemetry::Family> counted{
      telemetry::Family({.name = "relayd_x_total", .help = "Help."})};
  const std::string text = metrics_text(status, counted, telemetry::MetricFormat::openmetrics);
  EXPECT_TRUE(text.starts_with("# TYPE relayd_x counter\n"));
  EXPECT_THAT(text, HasSubstr("\n# UNIT relayd_start_time_seconds seconds\n"));
  EXPECT_TRUE(text.ends_with("\n# EOF\n"));
  EXPECT_THAT(metrics_text(status, counted), Not(HasSubstr("EOF")));
}

TEST(StandingMetrics, ShowWebhooksOfAllReceiversTogether) {
  Status status;
  EXPECT_THAT(metrics_text(status, {}), Not(HasSubstr("webhook")));
  status.webhooks = {{.url = "https://a.example/", .waiting = 5, .sent = 10, .dropped = 2},
                     {.url = "https://b.example/", .waiting = 7, .sent = 20, .dropped = 1}};
  const std::string text = metrics_text(status, {});
  EXPECT_THAT(text, HasSubstr("relayd_webhook_events_total{state=\"sent\"} 30\n"));
  EXPECT_THAT(text, HasSubstr("relayd_webhook_events_total{state=\"dropped\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("relayd_webhook_waiting_bytes 12\n"));
  EXPECT_THAT(text, HasSubstr("relayd_webhook_receivers{state=\"well\"} 2\n"));
  status.webhooks[0].failure = "connection refused";
  status.webhooks[1].disabled = true;
  EXPECT_THAT(metrics_text(status, {}), HasSubstr("relayd_webhook_receivers{state=\"disabled\"} 1\n"
                                                  "relayd_webhook_receivers{state=\"failing\"} 1\n"
                                                  "relayd_webhook_receivers{state=\"well\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("a.example")));
}

TEST(StandingMetrics, ShowAccountsAndWhatEnds) {
  Status status;
  status.now = noon;
  EXPECT_THAT(metrics_text(status, {}), Not(HasSubstr("relayd_account_ok")));
  EXPECT_THAT(metrics_text(status, {}), Not(HasSubstr("relayd_credential")));
  status.accounts = {{.name = {"ses", "app"}}, {.name = {"office", ""}, .well = false}};
  status.credentials = {{"client_secret", {"office", "bob"}, noon + 1h}};
  const std::string text = metrics_text(status, {});
  EXPECT_THAT(text, HasSubstr("relayd_account_ok{upstream=\"ses\",account=\"app\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("relayd_account_ok{upstream=\"office\",account=\"\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("relayd_credential_left_seconds{class=\"client_secret\",upstream=\"office\","
                              "account=\"bob\"} 3600\n"));
}

TEST(StandingMetrics, ShowEachLaneInOneState) {
  Status status;
  LaneStatus lane;
  lane.upstream = "office";
  lane.account = "relay";
  lane.state = LaneStatus::State::paused;
  lane.reply_class = "auth";
  lane.busy = 2;
  lane.allowed = 10;
  lane.quotas = {{.limit = 100, .left = 40}, {.limit = 50, .left = 7}};
  lane.rate_left = 3;
  lane.recipients_per_minute = 30;
  status.lanes = {lane};
  const std::string text = metrics_text(status, {});
  const std::string way = "{upstream=\"office\",account=\"relay\"";
  EXPECT_THAT(text, HasSubstr("relayd_lane_state" + way + ",state=\"paused\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("relayd_lane_state" + way + ",state=\"open\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("relayd_lane_trouble" + way + ",class=\"auth\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("relayd_lane_connections" + way + ",state=\"busy\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("relayd_lane_connections_allowed" + way + "} 10\n"));
  EXPECT_THAT(text, HasSubstr("relayd_lane_quota_left" + way + "} 7\n"));
  EXPECT_THAT(text, HasSubstr("relayd_lane_rate_left" + way + "} 3\n"));
  EXPECT_THAT(text, HasSubstr("relayd_lane_rate_per_second" + way + ",class=\"recipients\"} 0.5\n"));
  EXPECT_THAT(text, Not(HasSubstr("account=\"relay\",class=\"messages\"")));
}

TEST(StandingMetrics, ShowConnectionsHandshakesAndCertificates) {
  Status status;
  status.now = noon;
  status.upstreams = {{"office", 5, {{"connect", 2}, {"auth", 1}}, {.full = 3, .resumed = 4, .failed = 6}}};
  status.listeners = {{"127.0.0.1:25", {.full = 7, .failed = 8}}};
  status.certificates = {{"listener", "127.0.0.1:25", noon + 1h},
                         {"server", "office", noon - 1min},
                         {"client", "office", std::nullopt, "not there"}};
  const std::string text = metrics_text(status, {});
  for (const char* const line :
       {"relayd_connections_total{upstream=\"office\",state=\"opened\",stage=\"\"} 5\n",
        "relayd_connections_total{upstream=\"office\",state=\"failed\",stage=\"connect\"} 2\n",
        "relayd_tls_handshakes_total{upstream=\"office\",state=\"resumed\"} 4\n",
        "relayd_intake_tls_handshakes_total{listener=\"127.0.0.1:25\",state=\"failed\"} 8\n",
        "relayd_certificate_left_seconds{class=\"listener\",upstream=\"\",listener=\"127.0.0.1:25\"} 3600\n",
        "relayd_certificate_left_seconds{class=\"server\",upstream=\"office\",listener=\"\"} -60\n"})
    EXPECT_THAT(text, HasSubstr(std::string("\n") + line));
  EXPECT_THAT(text, Not(HasSubstr("class=\"client\"")));
}

// Two hundred thousand accounts do not fill the memory of whoever reads it.
TEST(StandingMetrics, AreBounded) {
  Status status;
  for (int i = 0; i < 20'000; ++i) {
    LaneStatus& lane = status.lanes.emplace_back();
    lane.upstream = "office";
    lane.account = std::to_string(i);
    lane.state = i < 10 ? LaneStatus::State::open : LaneStatus::State::paused;
    lane.waiting = 1;
    lane.messages_per_minute = 60;
    lane.quotas = {{.limit = 30'000, .left = 30'000 - static_cast<std::uint64_t>(i)}};
  }
  for (int i = 0; i < 3000; ++i) status.accounts.push_back({{"office", std::to_string(i)}, i != 2500});
  const std::string text = metrics_text(status, {});
  EXPECT_LT(std::ranges::count(text, '\n'), 20'000);
  EXPECT_THAT(text, HasSubstr("relayd_account_ok{upstream=\"other\",account=\"other\"} 0\n"));
  EXPECT_THAT(text,
              HasSubstr("relayd_lane_trouble{upstream=\"other\",account=\"other\",class=\"\"} 19000\n"));
  EXPECT_THAT(text,
              HasSubstr("relayd_lane_state{upstream=\"other\",account=\"other\",state=\"paused\"} 19000\n"));
  EXPECT_THAT(text, HasSubstr("relayd_lane_messages_waiting{upstream=\"other\",account=\"other\"} 19000\n"));
  EXPECT_THAT(text, HasSubstr("relayd_lane_state{upstream=\"other\",account=\"other\",state=\"idle\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("relayd_lane_quota_left{upstream=\"other\",account=\"other\"} 10001\n"));
  EXPECT_THAT(text, HasSubstr("account=\"other\",class=\"messages\"} 19000\n"));
}

}  // namespace
}  // namespace relayd::watch
