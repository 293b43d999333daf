// Header: the few facts of a message's header block (RFC 5322 2.2) that a relay needs.
//
// accept runs a scanner over the message as it comes, before the body is known: which fields are missing, how
// often the message was received (RFC 5321 6.3), whom it claims to be from. Pure; bounded memory and linear
// time whatever it is fed; it changes nothing, decodes nothing and knows no MIME.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace relayd::mail {

struct HeaderFacts {
  std::uint64_t octets = 0;  // up to and with the empty line that ends the block
  bool separated = false;    // there is such a line; else the body begins with a line that is no field
  std::size_t fields = 0;    // in all
  std::size_t received = 0;  // number of Received fields
  std::size_t marked = 0;    // how many of them have the scanner's mark
  bool has_date = false;
  bool has_message_id = false;
  bool has_from = false;
  std::string from;  // address of the first mailbox of the first From; empty: none that can be read
  std::size_t from_mailboxes = 0;  // in all From fields; one that cannot be read counts
};

// Whether the line that is being read belongs to the header, in the words of HeaderScanner; for who must know
// in the middle of a line.
class HeaderLines {
 public:
  void text(std::string_view piece);  // more of the line, without its end
  void end_line();

  bool line_empty() const { return line_.empty(); }  // so far
  bool field_above() const { return field_above_; }  // which a line that begins with a space continues
  bool in_field() const;                             // the colon was there, or it continues one
  bool over() const { return over_; }                // the header has ended; no more calls then

 private:
  std::string line_;  // up to its first colon, or that it begins with a space
  bool first_ = true;
  bool field_above_ = false;
  bool over_ = false;
};

class HeaderScanner {
 public:
  // `mark`: a word to look for in Received fields; empty: none.
  explicit HeaderScanner(std::string mark = {}) : mark_(std::move(mark)) {}

  // Reads the next piece of the message (CR LF lines, cut anywhere). Stops at the end of the block; more
  // calls do no harm.
  void feed(std::string_view bytes);

  // The block has ended: the facts are final. A message may end before its header does; the facts are then
  // those of the lines that were whole.
  bool done() const { return done_; }
  const HeaderFacts& facts() const { return facts_; }

 private:
  enum class Field { none, from, received, other };
  void read_line(std::string_view line);
  void begin_field(std::string_view name, std::string_view value);
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
  std::string from_;  // body of the present From, unfolded
};

}  // namespace relayd::mail
