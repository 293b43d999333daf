// RecipientStates: the state of each recipient of a message in memory, small.
//
// Owned by the message's entry in the index. A plain value.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "queue/message.hpp"

namespace relayd::queue {

// Two bits for each recipient; up to 32 of them need no allocation.
class RecipientStates {
 public:
  explicit RecipientStates(std::uint32_t count = 0);
  std::uint32_t size() const { return count_; }
  RecipientState get(std::uint32_t recipient) const;
  void set(std::uint32_t recipient, RecipientState state);
  std::uint32_t count(RecipientState state) const;
  // Still to be sent.
  bool is_unsent(std::uint32_t recipient) const;
  std::vector<RecipientState> unpacked() const;

 private:
  static constexpr std::uint32_t per_word = 32;
  const std::uint64_t* words() const { return many_ ? many_.get() : &few_; }
  std::uint64_t* words() { return many_ ? many_.get() : &few_; }

  std::uint32_t count_;
  std::uint64_t few_ = 0;
  std::unique_ptr<std::uint64_t[]> many_;
};

}  // namespace relayd::queue
