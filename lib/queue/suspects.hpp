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
  // A stretch that begins with a record. It is as all() unless its records can be told: each has a header
  // that says whom it is about and how long it is, up to the end. So it is with more than a hundred ids, and
  // when it is not `readable` as a whole.
  void damaged(std::string_view bytes, std::uint64_t generation, bool readable);
  // What is lost may have been about any message there was.
  void all();
  // A sound record that comes later leaves nothing open about that message.
  void clear(MessageId id);
  bool is_cleared(MessageId id) const { return cleared_.contains(id.value); }
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
