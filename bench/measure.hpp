// Measure: what a benchmark asks of the machine, and how it sums up what it saw.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shared/base/bytes.hpp"
#include "shared/base/time.hpp"

namespace relayd::bench {

double seconds(Duration duration);
double since(SteadyTime begun);  // in seconds

double median(std::vector<double> values);
// The sample below which `share` (0 to 1) of the others lie.
Duration percentile(std::vector<Duration> samples, double share);

Bytes resident();                               // of this process, now
Duration cpu_time();                            // of this process, all threads, so far
double load();                                  // the machine's, over the last minute
std::string machine();                          // processor, kernel, load: a line
Bytes disk_used(const std::string& directory);  // blocks that its files hold

// Writes the files of a directory out and drops them from the page cache, so that the next read is from disk.
void forget_cached(const std::string& directory);

}  // namespace relayd::bench
