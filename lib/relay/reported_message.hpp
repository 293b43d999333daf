// ReportedMessage: a message that a report is about, with all that the report says of it, read from the
// queue.
//
// Beside the last stage of the path. A value that owns what it holds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "queue/queue.hpp"
#include "shared/async/task.hpp"
#include "shared/async/workers.hpp"
#include "tell/obligation.hpp"
#include "tell/report.hpp"

namespace relayd {

struct ReportedMessage {
  queue::MessageId id;
  WallTime accepted;
  mail::Envelope envelope;
  std::vector<queue::RecipientState> states;
  std::vector<queue::HistoryEvent> history;
  std::string text;         // header and body, or the beginning of a large message with its header
  bool is_whole = false;    // it is all of the message
  std::string_view header;  // in `text`
  tell::HeaderMarks marks;

  ReportedMessage() = default;
  ReportedMessage(const ReportedMessage&) = delete;  // `header` points into it
  ReportedMessage& operator=(const ReportedMessage&) = delete;

  // Of those of the recipients with that state.
  std::vector<std::uint32_t> in_state(const std::vector<std::uint32_t>& recipients,
                                      queue::RecipientState state) const;
  // What became of each of the recipients, by the newest attempt that named it.
  std::vector<tell::ReportedRecipient> reported(const std::vector<std::uint32_t>& recipients) const;
};

// Of a message that is a file of its own: its header at least. Blocks. Throws QueueError.
std::string read_beginning(const queue::Content& content);

// Reads the message and what happened to it. False: it has gone. Throws QueueError where the disk cannot give
// it. A worker reads what is large.
async::Task<bool> read_message(queue::Queue& queue, async::Workers& workers, queue::MessageId id,
                               ReportedMessage& into);

}  // namespace relayd
