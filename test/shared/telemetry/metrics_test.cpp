// Metrics: what is counted, and its text.
#include "shared/telemetry/metrics.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <limits>
#include <new>
#include <string>
#include <utility>

namespace {
std::size_t allocations = 0;
}  // namespace

// Those of the whole program are counted.
void* operator new(std::size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace relayd::telemetry {
namespace {

std::string text(const Family& family, MetricFormat format = MetricFormat::text) {
  return render(std::span(&family, 1), format);
}

Family counter(std::vector<std::string_view> labels, std::size_t most = 2000) {
  return Family({MetricKind::counter, "relayd_x_total", "Help.", std::move(labels), {}, most});
}

TEST(Metrics, ACounterWithoutLabelsBeginsAtZero) {
  Family family = counter({});
  EXPECT_EQ(text(family), "# HELP relayd_x_total Help.\n# TYPE relayd_x_total counter\nrelayd_x_total 0\n");
  family.add({}, 2.5);
  family.add({});
  EXPECT_TRUE(text(family).ends_with("\nrelayd_x_total 3.5\n"));
}

TEST(Metrics, SeriesComeInTheOrderOfTheirLabels) {
  Family family = counter({"upstream", "state"});
  family.add({"b", "x"});
  family.add({"a", "y"});
  family.add({"a", "x"}, 41);
  family.add({"a", "x"});
  EXPECT_EQ(text(family),
            "# HELP relayd_x_total Help.\n"
            "# TYPE relayd_x_total counter\n"
            "relayd_x_total{upstream=\"a\",state=\"x\"} 42\n"
            "relayd_x_total{upstream=\"a\",state=\"y\"} 1\n"
            "relayd_x_total{upstream=\"b\",state=\"x\"} 1\n");
}

TEST(Metrics, AHistogramAddsUp) {
  Family family({MetricKind::histogram, "relayd_t_seconds", "Help.", {"upstream"}, {0.5, 1, 30}});
  for (const double seconds : {0.25, 0.5, 0.75, 1.5, 100.0}) family.observe({"a"}, seconds);
  EXPECT_EQ(text(family),
            "# HELP relayd_t_seconds Help.\n"
            "# TYPE relayd_t_seconds histogram\n"
            "relayd_t_seconds_bucket{upstream=\"a\",le=\"0.5\"} 2\n"
            "relayd_t_seconds_bucket{upstream=\"a\",le=\"1\"} 3\n"
            "relayd_t_seconds_bucket{upstream=\"a\",le=\"30\"} 4\n"
            "relayd_t_seconds_bucket{upstream=\"a\",le=\"+Inf\"} 5\n"
            "relayd_t_seconds_sum{upstream=\"a\"} 103\n"
            "relayd_t_seconds_count{upstream=\"a\"} 5\n");
}

TEST(Metrics, AHistogramTakesWhatWasCountedElsewhere) {
  Family family({MetricKind::histogram, "relayd_t_seconds", "Help.", {}, {0.5, 1}});
  family.observe({}, 0.25);
  const std::uint64_t elsewhere[] = {2, 0, 1};
  family.observe({}, elsewhere, 5.5);
  EXPECT_EQ(text(family),
            "# HELP relayd_t_seconds Help.\n"
            "# TYPE relayd_t_seconds histogram\n"
            "relayd_t_seconds_bucket{le=\"0.5\"} 3\n"
            "relayd_t_seconds_bucket{le=\"1\"} 3\n"
            "relayd_t_seconds_bucket{le=\"+Inf\"} 4\n"
            "relayd_t_seconds_sum 5.75\n"
            "relayd_t_seconds_count 4\n");
}

TEST(Metrics, OpenMetricsNamesACounterWithoutItsSuffix) {
  Family family({MetricKind::counter, "relayd_x_total", "\"Help\"."});
  EXPECT_EQ(text(family, MetricFormat::openmetrics),
            "# TYPE relayd_x counter\n# HELP relayd_x \\\"Help\\\".\nrelayd_x_total 0\n");
}

TEST(Metrics, OpenMetricsTellsTheUnitOfAName) {
  Family octets({MetricKind::counter, "relayd_x_bytes_total", "Help."});
  EXPECT_EQ(text(octets, MetricFormat::openmetrics),
            "# TYPE relayd_x_bytes counter\n# UNIT relayd_x_bytes bytes\n# HELP relayd_x_bytes Help.\n"
            "relayd_x_bytes_total 0\n");
  Family age({MetricKind::gauge, "relayd_x_seconds", "Help."});
  age.add({}, 1.5);
  EXPECT_EQ(text(age, MetricFormat::openmetrics),
            "# TYPE relayd_x_seconds gauge\n# UNIT relayd_x_seconds seconds\n# HELP relayd_x_seconds Help.\n"
            "relayd_x_seconds 1.5\n");
}

TEST(Metrics, OpenMetricsHasAFractionInEachBound) {
  Family family({MetricKind::histogram, "relayd_t", "Help.", {"upstream"}, {0.5, 30}});
  family.observe({"a"}, 7);
  EXPECT_EQ(text(family, MetricFormat::openmetrics),
            "# TYPE relayd_t histogram\n# HELP relayd_t Help.\n"
            "relayd_t_bucket{upstream=\"a\",le=\"0.5\"} 0\n"
            "relayd_t_bucket{upstream=\"a\",le=\"30.0\"} 1\n"
            "relayd_t_bucket{upstream=\"a\",le=\"+Inf\"} 1\n"
            "relayd_t_sum{upstream=\"a\"} 7\n"
            "relayd_t_count{upstream=\"a\"} 1\n");
}

TEST(Metrics, WhatAConfigurationNamesCannotBreakALine) {
  Family family = counter({"account"});
  family.add({"a\"b\\c\nd}"});
  family.add({std::string_view("\xff\0x", 3)});
  EXPECT_EQ(text(family),
            "# HELP relayd_x_total Help.\n"
            "# TYPE relayd_x_total counter\n"
            "relayd_x_total{account=\"a\\\"b\\\\c\\nd}\"} 1\n"
            "relayd_x_total{account=\"\xEF\xBF\xBD x\"} 1\n");
  EXPECT_EQ(escape_help("a\"b\\c\nd"), "a\"b\\\\c\\nd");
}

TEST(Metrics, NumbersAreWrittenAsGoReadsThem) {
  for (const auto& [value, said] : std::initializer_list<std::pair<double, const char*>>{
           {1e15, "1000000000000000"},
           {123456789012, "123456789012"},
           {0.1, "0.1"},
           {-1, "-1"},
           {std::numeric_limits<double>::infinity(), "+Inf"},
           {-std::numeric_limits<double>::infinity(), "-Inf"},
           {std::numeric_limits<double>::quiet_NaN(), "NaN"}}) {
    Family family({MetricKind::gauge, "relayd_x", "Help."});
    family.add({}, value);
    EXPECT_TRUE(text(family).ends_with(std::string("\nrelayd_x ") + said + "\n")) << text(family);
  }
}

TEST(Metrics, WhatWouldBeTooManyIsOneOther) {
  Family family = counter({"upstream", "account", "state"}, 3);
  for (int i = 0; i < 100; ++i) family.add({"office", std::to_string(i), "sent"});
  family.add({"office", "1", "sent"});
  EXPECT_EQ(family.size(), 4U);
  const std::string all = text(family);
  EXPECT_NE(all.find("{upstream=\"other\",account=\"other\",state=\"sent\"} 97\n"), std::string::npos) << all;
  EXPECT_NE(all.find("{upstream=\"office\",account=\"1\",state=\"sent\"} 2\n"), std::string::npos) << all;
}

TEST(Metrics, TheLeastOfWhatWouldBeTooManyCounts) {
  Family family({MetricKind::gauge, "relayd_x", "Help.", {"account"}, {}, 1});
  for (const auto& [account, value] :
       std::initializer_list<std::pair<const char*, double>>{{"a", 7}, {"b", 5}, {"c", -3}, {"d", 4}})
    family.add_least({account}, value);
  EXPECT_TRUE(text(family).ends_with("{account=\"a\"} 7\nrelayd_x{account=\"other\"} -3\n")) << text(family);
}

TEST(Metrics, SumsAreOfAllSeriesWithOneValueOfALabel) {
  Family family = counter({"upstream", "account", "state"});
  family.add({"a", "x", "sent"}, 2);
  family.add({"b", "sent", "sent"}, 3);
  family.add({"sent", "x", "failed"}, 4);
  EXPECT_EQ(family.sum("state", "sent").value, 5);
  EXPECT_EQ(family.sum("upstream", "sent").value, 4);
  EXPECT_EQ(family.sum("account", "nobody").value, 0);
  Family times({MetricKind::histogram, "relayd_t_seconds", "Help.", {"upstream", "state"}, {1, 30}});
  times.observe({"a", "sent"}, 0.5);
  times.observe({"b", "sent"}, 40);
  times.observe({"b", "failed"}, 2);
  EXPECT_EQ(times.sum("state", "sent").value, 40.5);
  EXPECT_EQ(times.sum("state", "sent").observations, 2U);
}

TEST(Metrics, CountingAgainAllocatesNothing) {
  Family family = counter({"upstream", "account"}, 1);
  Family times({MetricKind::histogram, "relayd_t_seconds", "Help.", {"upstream"}, {0.5, 1, 30}});
  const auto count = [&] {
    family.add({"a name that is too long for a small string", "and another one, as long"});
    family.add({"one that is too many", "with an account"});
    times.observe({"a name that is too long for a small string"}, 7);
  };
  count();
  const std::size_t before = allocations;
  for (int i = 0; i < 100; ++i) count();
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace relayd::telemetry
