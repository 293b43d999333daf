// Inspection: what a queue that no process has holds, without changing a byte of it.
//
// For the operator: a stopped queue, or a copy of one. Blocks. Knows no loop and no writer.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "queue/queue.hpp"
#include "shared/disk/disk.hpp"

namespace relayd::queue {

// A message as the disk has it.
struct InspectedMessage {
  const Message& message;
  Envelope envelope;
  std::vector<RecipientState> states;
  std::vector<HistoryEvent> history;
  std::string content;  // header and body
  std::string problem;  // why it cannot be sent as it is; empty: it can. What is above may then be missing
};

class Inspection {
 public:
  // Holds the queue in `directory` and reads it as open() would. Throws DiskError, and QueueError: locked
  // when another process has it, broken when it is of a newer version. The lines of `set_aside` in what it
  // found say what the next start will do.
  Inspection(disk::Disk& disk, const std::string& directory);
  ~Inspection();

  const Recovery& found() const;
  // By id. Reads each message whole.
  void for_each(const std::function<void(const InspectedMessage&)>& visit);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace relayd::queue
