#include "shared/smtp/line_buffer.hpp"

#include <algorithm>
#include <cstring>

namespace relayd::smtp {

std::span<char> LineBuffer::space(std::size_t wanted) {
  const std::size_t held = end_ - begin_;
  if (capacity_ - end_ < wanted) {
    const bool fits = capacity_ - held >= wanted;
    const std::size_t grown = fits ? capacity_ : std::max({idle_capacity, 2 * capacity_, held + wanted});
    auto moved = fits ? nullptr : std::make_unique_for_overwrite<char[]>(grown);
    char* const target = fits ? data_.get() : moved.get();
    if (held != 0) std::memmove(target, data_.get() + begin_, held);
    if (!fits) data_ = std::move(moved);
    capacity_ = grown;
    searched_ -= begin_;
    begin_ = 0;
    end_ = held;
  }
  return {data_.get() + end_, capacity_ - end_};
}

std::size_t LineBuffer::find_end() {
  while (searched_ < end_) {
    const char* const from = data_.get() + searched_;
    const auto* feed = static_cast<const char*>(std::memchr(from, '\n', end_ - searched_));
    if (!feed) break;
    const auto at = static_cast<std::size_t>(feed - data_.get());
    searched_ = at + 1;
    if (at > begin_ && data_[at - 1] == '\r') return at - 1;
  }
  searched_ = end_;
  return std::string_view::npos;
}

std::optional<LineBuffer::Line> LineBuffer::line() {
  const std::size_t end = find_end();
  if (end == std::string_view::npos) {
    if (end_ - begin_ > limit_) drop_unfinished();
    return std::nullopt;
  }
  const std::string_view text(data_.get() + begin_, end - begin_);
  const bool too_long = dropping_ || text.size() + 2 > limit_;
  dropping_ = false;
  begin_ = end + 2;
  return too_long ? Line{{}, true} : Line{text, false};
}

// Keeps the last octet: it may be the CR of the line's end.
void LineBuffer::drop_unfinished() {
  dropping_ = true;
  begin_ = end_ - 1;
}

void LineBuffer::consume(std::size_t octets) {
  begin_ += octets;
  searched_ = begin_;
}

void LineBuffer::clear() {
  begin_ = end_ = searched_ = 0;
  dropping_ = false;
}

void LineBuffer::wipe_taken() {
  if (!data_) return;
  ::explicit_bzero(data_.get(), begin_);
  ::explicit_bzero(data_.get() + end_, capacity_ - end_);  // what was moved to the front was there, too
}

void LineBuffer::shrink() {
  if (begin_ != end_ || capacity_ <= idle_capacity) return;
  data_.reset();
  capacity_ = begin_ = end_ = searched_ = 0;
}

}  // namespace relayd::smtp
