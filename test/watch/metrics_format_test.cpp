// In which format a client of HTTP gets the metrics.
#include "watch/metrics_format.hpp"

#include <gtest/gtest.h>

#include <string>

namespace relayd::watch {
namespace {

using enum telemetry::MetricFormat;

TEST(MetricFormat, TextIsTheDefault) {
  for (const char* const accept :
       {"", "*/*", "text/plain", "text/plain;version=0.0.4", "text/html", "application/*", "text/*;q=0.3",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", ",", ";;,=;", "\"", "\"\\"})
    EXPECT_EQ(metric_format(accept), text) << accept;
}

TEST(MetricFormat, WhoeverNamesOpenMetricsGetsIt) {
  for (const char* const accept :
       {"application/openmetrics-text", "application/openmetrics-text; version=1.0.0; charset=utf-8",
        "Application/OpenMetrics-Text ; Version=\"1.0.0\"", "*/*, application/openmetrics-text",
        "application/openmetrics-text;x=\"a,b;q=0\\\"\";q=0.5, */*;q=0.1",
        // Prometheus 2.42 and 3.
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
        "application/openmetrics-text;version=0.0.1;q=0.4,text/"
        "plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
        "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"})
    EXPECT_EQ(metric_format(accept), openmetrics) << accept;
}

TEST(MetricFormat, TheWeightsDecide) {
  EXPECT_EQ(metric_format("application/openmetrics-text;q=0.5, text/plain"), text);
  EXPECT_EQ(metric_format("application/openmetrics-text;q=0.5, text/plain;q=0.501"), text);
  EXPECT_EQ(metric_format("application/openmetrics-text;q=0.501, text/plain;q=0.5"), openmetrics);
  EXPECT_EQ(metric_format("application/openmetrics-text;q=0"), text);
  EXPECT_EQ(metric_format("application/openmetrics-text;q=1.000, text/plain;q=1"), openmetrics);
  // What names the text most closely counts for it.
  EXPECT_EQ(metric_format("text/plain;q=0.2, application/openmetrics-text;q=0.5, */*"), openmetrics);
  EXPECT_EQ(
      metric_format("text/plain;q=0.2, text/plain;version=0.0.4;q=0.9, application/openmetrics-text;q=0.5"),
      text);
}

TEST(MetricFormat, AVersionThatIsNotOursDoesNotCount) {
  EXPECT_EQ(metric_format("application/openmetrics-text;version=0.0.1, text/plain;q=0.1"), text);
  EXPECT_EQ(metric_format("application/openmetrics-text;version=2.0.0"), text);
  EXPECT_EQ(metric_format("text/plain;version=1.0.0, application/openmetrics-text;q=0.5"), openmetrics);
}

TEST(MetricFormat, AWeightThatIsNoneIsNoWish) {
  for (const char* const weight : {"", "2", "0.1234", "-1", ".5", "0,5", "1x", "0.x", "half"})
    EXPECT_EQ(metric_format(std::string("application/openmetrics-text;q=") + weight), text) << weight;
}

TEST(MetricFormat, ContentTypesAreWhatPrometheusKnows) {
  EXPECT_EQ(content_type(text), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(content_type(openmetrics), "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

}  // namespace
}  // namespace relayd::watch
