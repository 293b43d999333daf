#include "queue/suspects.hpp"

#include <algorithm>

#include "queue/codec.hpp"
#include "queue/mend.hpp"
#include "queue/record.hpp"

namespace relayd::queue {
namespace {

constexpr std::size_t most_ids = 100;  // suspects; more are not told from others one by one

// What stands there may be the header of a damaged record, and says where the next one begins.
bool has_header(std::string_view bytes) {
  if (bytes.size() < record_header) return false;
  const std::uint32_t length = record_length(bytes);
  return length >= record_header && length <= bytes.size() && length % record_alignment == 0 &&
         load<std::uint16_t>(&bytes[zero_at]) == 0;
}

}  // namespace

void Suspects::damaged(std::string_view bytes, std::uint64_t generation, bool readable) {
  if (!readable) return all();
  for (std::size_t at = 0; at < bytes.size(); at += record_length(bytes.substr(at))) {
    const std::string_view record = bytes.substr(at);
    // The mark of the first one may be what is damaged.
    const bool is_marked = may_be_record(record, generation);
    if ((at != 0 && !is_marked) || !has_header(record)) return all();
    if (is_marked && !is_about_a_message(record)) continue;
    const std::uint64_t suspect = load<std::uint64_t>(&record[id_at]);
    if (suspect == 0) return all();
    ids_.insert(suspect);
    if (ids_.size() > most_ids) {
      ids_.clear();
      return all();
    }
    // What is damaged may be one octet of the id itself.
    std::erase_if(cleared_, [suspect](std::uint64_t id) { return differ_in_one_octet_at_most(suspect, id); });
  }
}

void Suspects::all() {
  all_ = true;
  youngest_.reset();
  cleared_.clear();
}

void Suspects::clear(MessageId id) {
  if (all_ || !ids_.empty()) cleared_.insert(id.value);
}

void Suspects::none_above(MessageId id) {
  if (all_ && !youngest_) youngest_ = id;
}

bool Suspects::is_suspect(MessageId id) const {
  if (cleared_.contains(id.value)) return false;
  if (all_ && (!youngest_ || id <= *youngest_)) return true;
  return std::any_of(ids_.begin(), ids_.end(),
                     [id](std::uint64_t suspect) { return differ_in_one_octet_at_most(suspect, id.value); });
}

std::vector<MessageId> Suspects::hold(Index& index) const {
  std::vector<MessageId> held;
  if (!all_ && ids_.empty()) return held;
  for (Entry* const entry : index.by_id()) {
    if (entry->state != MessageState::waiting || !is_suspect(entry->id())) continue;
    index.hold(*entry);
    held.push_back(entry->id());
  }
  return held;
}

}  // namespace relayd::queue
