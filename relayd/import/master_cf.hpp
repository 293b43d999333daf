// master.cf: the services of Postfix, with their options. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "import/main_cf.hpp"
#include "shared/base/result.hpp"

namespace relayd::importing {

struct Service {
  std::string name;                    // "smtp", "127.0.0.1:10025"
  std::string type;                    // inet, unix, fifo, pass, unix-dgram
  std::string command;                 // smtpd, smtp, pipe
  Overrides overrides;                 // -o name=value
  std::vector<std::string> arguments;  // all that is no -o
  std::size_t line = 0;
};

struct MasterCf {
  std::vector<Service> services;
  std::vector<std::size_t> faults;  // lines that are no service
};

Result<MasterCf> parse_master_cf(std::string_view text);

}  // namespace relayd::importing
