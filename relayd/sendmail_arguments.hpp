// The command line of sendmail(1), as mail programs have written it for decades, read into one value.
//
// Pure: words in, value out; nothing is looked up and no word is ever read twice. Used by command::sendmail.
// Options end at the first word that is none, or at "--": what stands behind is for recipients alone.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.hpp"

namespace relayd::command {

struct SendmailArguments {
  enum class Mode {
    send,        // -bm, the default: a message on standard input
    smtp,        // -bs: SMTP on standard input and output
    list_queue,  // -bp: as mailq
    explain,     // -bv: where mail of this sender would go
    initialise,  // -bi, -I: as newaliases
    run_queue,   // -q: try now what waits
  };
  Mode mode = Mode::send;
  bool recipients_from_header = false;  // -t
  bool dot_ends = true;                 // a line with a lone dot ends the message; not with -i, -oi
  bool verbose = false;                 // -v
  std::optional<std::string> sender;    // -f, -r, as written
  std::string full_name;                // -F, as written
  std::string config;                   // -C
  std::string notify;                   // -N, as RFC 3461 4.1 has it; empty: not given
  std::string ret;                      // -R, "FULL" or "HDRS"; empty: not given
  std::string envelope_id;              // -V, as written
  std::vector<std::string> recipients;  // as written: a word may hold a list
};

// The words behind the command's name. Of an option given twice the last counts. Options that ask for what
// relayd always does, or never, are taken and have no effect: -A -B -e -G -h -L -m -n -O -U, and -o but for
// -oi. Any other is an error, as is a value that is missing or makes no sense.
Result<SendmailArguments> parse_sendmail_arguments(std::span<const std::string_view> words);

}  // namespace relayd::command
