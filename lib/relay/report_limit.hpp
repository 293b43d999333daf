// ReportLimit: how many reports are written in a period (`bounce.limit`), and what is counted of those that
// are not.
//
// Owned by the Reporter, which has one for warnings and one for all else: mail that is late shall not silence
// mail that failed. Periods go by the steady clock; a restart begins an empty one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "shared/base/time.hpp"
#include "shared/config/limit.hpp"
#include "tell/report.hpp"

namespace relayd {

class ReportLimit {
 public:
  // One report more may be written now.
  bool has_room(config::Rate limit, SteadyTime now);
  // One is being written; or could not be, after all.
  void begin() { ++written_; }
  void give_back() { written_ -= written_ > 0; }
  // One was not; `reason`: such as "550 5.1.1". Of many different ones the later are counted together.
  void silenced(const std::string& reason, std::uint64_t count = 1);
  bool has_silenced() const { return !reasons_.empty(); }
  SteadyTime began() const { return began_; }
  // When the present period is over.
  SteadyTime end(config::Rate limit) const { return began_ + limit.period; }
  // What was silenced, the most frequent reason first, and counts from nothing.
  std::vector<tell::Silenced> take();

 private:
  SteadyTime began_{};
  bool has_begun_ = false;
  std::uint64_t written_ = 0;
  std::map<std::string, std::uint64_t> reasons_;
};

}  // namespace relayd
