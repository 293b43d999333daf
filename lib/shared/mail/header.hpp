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
  std::size_t received = 0;  // number of Received fields
  bool has_date = false;
  bool has_message_id = false;
  bool has_from = false;
  std::string from;  // address of the first mailbox of the first From; empty: none that can be read
};

class HeaderScanner {
 public:
  // Reads the next piece of the message (CR LF lines, cut anywhere). Stops at the end of the block; more
  // calls do no harm.
  void feed(std::string_view bytes);

  // The block has ended: the facts are final. A message may end before its header does; the facts are then
  // those of the lines that were whole.
  bool done() const { return done_; }
  const HeaderFacts& facts() const { return facts_; }

 private:
  enum class Field { none, from, other };
  void read_line(std::string_view line);
  void begin_field(std::string_view name, std::string_view value);
  void end_field();
  void finish(bool separated);

  HeaderFacts facts_;
  bool done_ = false;
  Field field_ = Field::none;  // the one that may be continued
  std::string line_;           // beginning of the present line
  std::uint64_t line_octets_ = 0;
  std::string from_;  // body of the first From, unfolded
};

// The address of the first mailbox in the body of an address field: "a@b" of `"X, Y" (c) <a@b>, d@e`.
// Comments, quoted strings, groups and source routes are understood, obsolete spaces inside an address are
// not. Empty when there is none, or the first is no valid address.
std::string first_mailbox(std::string_view field_body);

}  // namespace relayd::mail
