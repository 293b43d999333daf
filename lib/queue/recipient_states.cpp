#include "queue/recipient_states.hpp"

namespace relayd::queue {

RecipientStates::RecipientStates(std::uint32_t count) : count_(count) {
  if (count > per_word) many_ = std::make_unique<std::uint64_t[]>((count + per_word - 1) / per_word);
}

RecipientState RecipientStates::get(std::uint32_t recipient) const {
  return static_cast<RecipientState>(words()[recipient / per_word] >> (recipient % per_word * 2) & 3);
}

void RecipientStates::set(std::uint32_t recipient, RecipientState state) {
  std::uint64_t& word = words()[recipient / per_word];
  const std::uint32_t shift = recipient % per_word * 2;
  word = (word & ~(std::uint64_t{3} << shift)) | std::uint64_t{static_cast<std::uint8_t>(state)} << shift;
}

std::uint32_t RecipientStates::count(RecipientState state) const {
  std::uint32_t total = 0;
  for (std::uint32_t i = 0; i < count_; ++i) total += get(i) == state;
  return total;
}

bool RecipientStates::is_unsent(std::uint32_t recipient) const {
  return mail::is_unsent(get(recipient));
}

std::vector<RecipientState> RecipientStates::unpacked() const {
  std::vector<RecipientState> states(count_);
  for (std::uint32_t i = 0; i < count_; ++i) states[i] = get(i);
  return states;
}

}  // namespace relayd::queue
