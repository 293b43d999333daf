// LineBuffer: what a connection has received and nobody has taken yet.
//
// Stands between Stream::read_some and the parsers, one per connection, owned by the dialogue. A line ends at
// CR LF and nowhere else (RFC 5321 2.3.8); lone CRs and LFs stay in the line, for the parser to refuse.
// Memory is bounded by the longest line: an over-long one is thrown away as it comes. No line is copied. It
// gives memory back (shrink) so that an idle connection holds about a kilobyte.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace relayd::smtp {

class LineBuffer {
 public:
  struct Line {
    std::string_view text;  // without CR LF; valid until the next call of space() or shrink()
    bool too_long = false;  // the line was over the limit and is gone: the text is empty
  };

  // RFC 4954 4 asks for 12,288 octets, the longest line of the protocol. CR LF included.
  static constexpr std::size_t default_limit = 12'288;
  static constexpr std::size_t idle_capacity = 1024;

  explicit LineBuffer(std::size_t limit = default_limit) : limit_(limit) {}

  // Room for at least `wanted` octets to be read into; then say how many came. Invalidates all views.
  std::span<char> space(std::size_t wanted = idle_capacity / 2);
  void filled(std::size_t octets) { end_ += octets; }

  // Takes the next whole line; nothing when its end has not come yet. An unfinished line that is over the
  // limit is dropped meanwhile and reported once its CR LF has come.
  std::optional<Line> line();

  // The octets that are there, for a reader of something else than lines, who says how many it took.
  std::string_view rest() const { return {data_.get() + begin_, end_ - begin_}; }
  void consume(std::size_t octets);

  // Nothing is there, not even the beginning of a line that was thrown away (RFC 3207 4: check before TLS).
  bool empty() const { return begin_ == end_ && !dropping_; }

  // Forgets everything, as after a TLS handshake.
  void clear();

  // Overwrites what was taken: it may have been a password. Invalidates all views.
  void wipe_taken();

  // Frees what a long read left, if nothing is there. Invalidates all views.
  void shrink();

 private:
  // Where the CR LF of the first line is, searching only what was not searched before.
  std::size_t find_end();
  void drop_unfinished();

  std::size_t limit_;
  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t searched_ = 0;  // no line ends in [begin_, searched_)
  bool dropping_ = false;     // the line that begins here already was too long
};

}  // namespace relayd::smtp
