// config.example.yaml, as it is and with every key switched on.
#pragma once

#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <string>

namespace relayd::config {

inline std::string example() {
  std::ifstream file(PROJECT_DIR "/config.example.yaml");
  return {std::istreambuf_iterator<char>(file), {}};
}

// The example with every "#key:" and "#- key:" taken for a key: no blank or an indentation stands after the
// "#". One blank makes it a comment.
inline std::string switched_on() {
  static const std::regex off(R"(^( *)#((?:  )*(?:- )?[a-z_0-9]+:.*)$)");
  std::istringstream lines(example());
  std::string result;
  for (std::string line; std::getline(lines, line);) result += std::regex_replace(line, off, "$1$2") + "\n";
  return result;
}

}  // namespace relayd::config
