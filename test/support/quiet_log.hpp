// QuietLog: a log for whoever needs one in a test that does not read it.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include "shared/telemetry/log.hpp"

namespace relayd::test {

class QuietLog {
 public:
  QuietLog() = default;
  QuietLog(const QuietLog&) = delete;
  QuietLog& operator=(const QuietLog&) = delete;
  ~QuietLog() {
    log_.flush();
    ::close(nowhere_);
  }
  operator telemetry::Log&() { return log_; }

 private:
  int nowhere_ = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  telemetry::Log log_{nowhere_, telemetry::Log::Format::json, telemetry::Level::debug,
                      telemetry::Log::Addresses::full};
};

}  // namespace relayd::test
