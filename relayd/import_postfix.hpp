// relayd import-postfix: from a Postfix's configuration to one of ours.
#pragma once

#include <string>

namespace relayd::command {

struct ImportOptions {
  std::string directory = "/etc/postfix";
  std::string output;  // empty: /etc/relayd/relayd.yaml
};

int import_postfix(const ImportOptions& options);

}  // namespace relayd::command
