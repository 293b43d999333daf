// Runs a program and takes what it prints. Blocks up to `limit`.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "shared/base/result.hpp"

namespace relayd::config {

// Without a shell: argv[0] is looked up in PATH, standard input is empty, no descriptor of ours is handed on,
// and of our environment only what says where and in which language it runs, and `variables` ("NAME=VALUE").
// Fails when the program cannot be
// started, prints more than `most` octets, ends with another status than 0 (its last line on standard error
// is then in the text), or has not ended after `limit`: it and its children are killed then.
Result<std::string> run_command(const std::vector<std::string>& argv, std::chrono::milliseconds limit,
                                std::size_t most, const std::vector<std::string>& variables = {});

}  // namespace relayd::config
