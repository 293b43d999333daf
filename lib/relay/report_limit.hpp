// ReportLimit: how many reports are written in a period (`bounce.limit`), and what is counted of those that
// are not.
//
// Owned by the Reporter. Knows no clock; a restart begins with an empty period.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/time.hpp"
#include "shared/config/limit.hpp"
#include "tell/report.hpp"

namespace relayd {

class ReportLimit {
 public:
  // A period in which reports were silenced.
  struct Hour {
    WallTime began;
    std::vector<tell::Silenced> reasons;  // the most frequent first
  };

  // One report more may be written now.
  bool has_room(config::Rate limit, WallTime now);
  void written() { ++written_; }
  // One was not; `reason`: such as "550 5.1.1". Of many different ones the later are counted together.
  void silenced(const std::string& reason);
  bool has_silenced() const { return !reasons_.empty(); }
  // When the present period is over.
  WallTime end(config::Rate limit) const { return began_ + limit.period; }
  // What was silenced in it; a new one begins with the next report.
  Hour take();

 private:
  WallTime began_{};
  std::uint64_t written_ = 0;
  std::map<std::string, std::uint64_t> reasons_;
};

}  // namespace relayd
