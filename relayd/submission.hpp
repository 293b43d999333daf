// Submission: handing one message to the daemon of this machine, by SMTP or through the drop folder.
//
// Used by command::sendmail. Blocks. It knows SMTP as a client that will not try again: what comes of it is
// an outcome for an exit status.
#pragma once

#include <string>
#include <vector>

#include "local_connection.hpp"
#include "sendmail_spool.hpp"
#include "shared/mail/envelope.hpp"

namespace relayd::command {

struct Submission {
  mail::Envelope envelope;
  std::string header;  // canonical, with the empty line
  SendmailSpool body;
};

struct SubmissionOutcome {
  enum class Kind {
    queued,     // all recipients but `refused`; it was said with 250
    refused,    // for good: nothing was taken, asking again makes no sense
    not_taken,  // nothing, or not for `left`: nobody answered, or said 4xx
    in_doubt,   // the connection broke after the final dot
  } kind = Kind::queued;
  int status = 0;                          // sysexits.h; for not_taken and in_doubt EX_TEMPFAIL
  std::string text;                        // what happened, one line
  std::vector<mail::Recipient> left = {};  // of not_taken: who has not got it yet
  std::vector<std::string> refused = {};   // a line each: who was refused for good, while others were not
};

// The daemon's replies decide. More recipients than it takes at once go in several transactions; a recipient
// that it refuses for good is left out, and where nobody else is left, the message is refused.
SubmissionOutcome submit(LocalConnection connection, const std::string& helo, const Submission& submission);

// Writes the message for `recipients` into the drop folder; durable when it returns. Throws std::system_error
// when not all of it is.
void leave_in_drop(const std::string& directory, const Submission& submission,
                   const std::vector<mail::Recipient>& recipients);

}  // namespace relayd::command
