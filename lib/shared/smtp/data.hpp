// DATA: mail data (RFC 5321 2.3.9), header and body, on the wire and in the queue; transparency is RFC
// 5321 4.5.2.
//
// The decoder stands in the server dialogue between the connection and the queue's draft, the encoder in the
// client dialogue between the queue and the connection. Both take pieces cut at any octet and keep a few bits
// between them. What the decoder gives out, and the encoder expects, is canonical: every line ends with CR LF
// and there is no other CR or LF. Whatever it is fed, the encoder's output has this form, too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "shared/mail/header.hpp"

namespace relayd::smtp {

// Server side: from the wire. Only CR LF . CR LF ends the mail data; where it begins with . CR LF, it is
// empty. A bare CR or LF becomes CR LF and is counted; a dot after it is not un-stuffed. A bare CR in a
// header field becomes a space, because as a line end it would let a sender forge a field. Before the empty
// line that ends the header it is dropped.
class DataDecoder {
 public:
  enum class Content { message, body };
  explicit DataDecoder(Content content = Content::body) : in_header_(content == Content::message) {}

  // Reads on, appends content to `out` and returns how many octets it took: all of them, or those up to the
  // end of the message.
  std::size_t feed(std::string_view bytes, std::string& out);

  bool done() const { return state_ == State::done; }
  std::uint64_t bare_newlines() const { return bare_newlines_; }
  std::uint64_t nul_octets() const { return nul_octets_; }  // kept in the content, as they came

 private:
  enum class State {
    line_start,
    text,
    cr,      // CR in a line
    dot,     // '.' at the start of a line
    dot_cr,  // and CR behind it
    done,
  };
  bool read_mark(char c, std::string& out);
  std::size_t read_text(std::string_view bytes, std::string& out);
  void add_text(std::string_view text, std::string& out);
  void end_line();
  void bare_newline(std::string& out);
  void bare_return(std::string& out);

  State state_ = State::line_start;
  bool in_header_;
  mail::HeaderLines lines_;  // kept in the header only, as is:
  std::size_t returns_ = 0;  // bare CRs at the beginning of the line, of which nothing is written yet
  std::uint64_t bare_newlines_ = 0;
  std::uint64_t nul_octets_ = 0;
};

// Client side: to the wire.
class DataEncoder {
 public:
  // Appends the wire form of the next piece to `out`.
  void feed(std::string_view bytes, std::string& out);

  // Appends what ends the message: CR LF if the last line lacks it, then . CR LF. The encoder is then ready
  // for another message.
  void finish(std::string& out);

 private:
  enum class State { line_start, text, cr };
  State state_ = State::line_start;
};

}  // namespace relayd::smtp
