// The mail programs that others call: sendmail(1), mailq(1), newaliases(1). They return what sysexits.h has
// for it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "commands.hpp"

namespace relayd::command {

// Whether a program of this name, argv[0], is one of the three.
bool is_mail_program(std::string_view name);

// Runs it as the program of that name. `words` are those behind the name.
int mail_program(std::string_view name, std::span<const std::string_view> words);

// What waits in the queue of the daemon, as Postfix shows it.
int mailq(const Options& options);

// Checks the aliases of the configuration, and has the daemon read it again where one answers.
int newaliases(const Options& options);

}  // namespace relayd::command
