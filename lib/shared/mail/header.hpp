// Header: the few facts of a message's header block (RFC 5322 2.2) that a relay needs.
//
// accept runs a scanner over the message as it comes, before the body is known: which fields are missing, how
// often the message was received (RFC 5321 6.3), whom it claims to be from. Pure; bounded memory and linear
// time whatever it is fed; it changes nothing, decodes nothing and knows no MIME.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relayd::mail {

// Whether the first line of a message is what mailbox files put above it, "From ann Fri…" or, quoted once
// more,
// ">From ann Fri…" (RFC 4155). It is no part of the header, yet stands in front of it and gets sent along.
bool is_mailbox_separator(std::string_view line);

// The value of a Message-ID field, bounded, so that keeping it needs no memory of its own. Of a longer one it
// is the beginning.
class MessageIdText {
 public:
  void append(std::string_view text);
  // From '<' to '>', or all of it where there are none.
  std::string_view view() const;

 private:
  std::array<char, 320> text_{};
  std::uint16_t size_ = 0;
};

struct HeaderFacts {
  std::uint64_t octets = 0;  // up to and with the empty line that ends the block
  bool separated = false;    // there is such a line; else the body begins with a line that is no field
  std::size_t fields = 0;    // in all
  std::size_t received = 0;  // number of Received fields
  std::size_t marked = 0;    // how many of them have the scanner's mark
  bool has_date = false;
  bool has_message_id = false;
  MessageIdText message_id;       // of the first such field
  std::vector<std::string> from;  // address of each mailbox of all From fields; empty: it cannot be read
  bool from_whole = true;         // else the From fields are longer than what is read of them
};

// Whether the line that is being read belongs to the header, in the words of HeaderScanner; for who must know
// in the middle of a line.
class HeaderLines {
 public:
  void text(std::string_view piece);  // more of the line, without its end
  void end_line();

  bool line_empty() const { return line_.empty(); }  // so far
  bool field_above() const { return field_above_; }  // which a line that begins with a space continues
  bool in_field() const { return in_field_; }        // the colon was there, or it continues one
  bool over() const { return over_; }                // the header has ended; no more calls then

 private:
  std::string line_;  // up to its first colon, or that it begins with a space
  bool first_ = true;
  bool field_above_ = false;
  bool in_field_ = false;
  bool over_ = false;
};

class HeaderScanner {
 public:
  // `mark`: a word to look for in Received fields; empty: none.
  explicit HeaderScanner(std::string mark = {}) : mark_(std::move(mark)) {}

  // Reads the next piece of the message (CR LF lines, cut anywhere). Stops at the end of the block; more
  // calls do no harm.
  void feed(std::string_view bytes);

  // The message is over, and with it the block; to be called where it may end before its header does. The
  // facts are those of the lines that were whole.
  void end();

  // The block has ended: the facts are final.
  bool done() const { return done_; }
  const HeaderFacts& facts() const { return facts_; }

 private:
  enum class Field { none, from, received, message_id, other };
  void read_line(std::string_view line);
  void begin_field(std::string_view name, std::string_view value);
  void continue_from(std::string_view line);
  void end_field();
  void look_for_mark(std::string_view line);
  void finish(bool separated);

  std::string mark_;
  HeaderFacts facts_;
  bool done_ = false;
  Field field_ = Field::none;  // the one that may be continued
  bool mark_seen_ = false;     // in the present Received field
  std::string line_;           // beginning of the present line
  std::uint64_t line_octets_ = 0;
  std::string from_;             // body of the present From, unfolded
  std::size_t from_octets_ = 0;  // of all From fields
};

}  // namespace relayd::mail
