// Suspects: messages about which something was recorded that is damaged. They may have been sent, or deleted:
// the operator has to say.
//
// Owned by a Replay. Knows no file.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "queue/index.hpp"

namespace relayd::queue {

class Suspects {
 public:
  // A stretch that begins with a record. With more than a hundred ids it is as all(). `readable`: false when
  // a part of it is missing, so that nobody can say what it was about.
  void damaged(std::string_view bytes, std::uint64_t generation, bool readable);
  // What is lost may have been about any message there was.
  void all();
  // A sound record that comes later leaves nothing open about that message.
  void clear(MessageId id);
  // No message younger than this was there when something was lost.
  void none_above(MessageId id);

  // Holds those that would be sent, and says which.
  std::vector<MessageId> hold(Index& index) const;

 private:
  bool is_suspect(MessageId id) const;

  std::set<std::uint64_t> ids_;
  bool all_ = false;
  std::optional<MessageId> youngest_;          // of `all_`
  std::unordered_set<std::uint64_t> cleared_;  // by something later
};

}  // namespace relayd::queue
