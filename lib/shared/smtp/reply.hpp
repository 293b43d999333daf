// Replies: what an SMTP server answers (RFC 5321 4.2, RFC 3463, RFC 2034), read and written.
//
// Stands between the octets of a connection and the dialogues of both sides. Sans-I/O: octets in, values out.
// A client dialogue owns one ReplyParser per connection. What a reply means for a message is settle's matter.
// Text of a peer is kept as it came and may hold anything but LF: show it through escape() or one_line().
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace relayd::smtp {

// RFC 3463 status code, "5.1.1"; a class of 0 says that there is none.
struct EnhancedCode {
  std::uint16_t status_class = 0;
  std::uint16_t subject = 0;
  std::uint16_t detail = 0;
  bool given() const { return status_class != 0; }
  bool operator==(const EnhancedCode&) const = default;
};
std::string to_string(EnhancedCode code);

struct Reply {
  int code = 0;
  EnhancedCode enhanced;
  std::string text;  // lines joined by '\n', without the codes

  // By the first digit alone (RFC 5321 4.2.1): a client need not know every code.
  bool positive() const { return code / 100 == 2; }
  bool intermediate() const { return code / 100 == 3; }
  bool temporary() const { return code / 100 == 4; }
  bool permanent() const { return code / 100 == 5; }
};

// Text of strangers, fit for a log line or a report: UTF-8 without control characters, where every octet that
// is neither becomes \xHH. At most `limit` octets; never ends inside a character or an escape.
std::string escape(std::string_view text, std::size_t limit = 512);

// "5.1.1 No such user": enhanced code and text in one escaped line of at most `limit` octets.
std::string enhanced_text(const Reply& reply, std::size_t limit = 512);
// The same with the code in front: "550 5.1.1 No such user".
std::string one_line(const Reply& reply, std::size_t limit = 512);

// A reply as a server sends it, with CR LF: one line for each '\n' in the text, the enhanced code on each
// (RFC 2034 4), no line over 512 octets (RFC 5321 4.5.3.1.5). Whatever is in the text, no other CR or LF goes
// out.
void append_reply(std::string& output, int code, EnhancedCode enhanced, std::string_view text);
std::string format_reply(int code, EnhancedCode enhanced, std::string_view text);

// Reads one reply after another, whatever pieces they come in. Takes a bare LF for a line end, as servers
// that send it mean it. Refuses what cannot be a reply: no three digits, a code that changes between the
// lines, more than 512 lines or 256 KiB. Nothing of a malformed connection can be trusted: close it.
class ReplyParser {
 public:
  enum class State { incomplete, complete, malformed };

  // Reads on and returns how many octets it took: all of them, or those up to the end of the reply.
  // Takes nothing unless the state is `incomplete`.
  std::size_t feed(std::string_view bytes);

  State state() const { return state_; }

  // The reply, when complete; the parser is then ready for the next one.
  Reply take();

  // Why it is malformed, in words; empty otherwise.
  const std::string& fault() const { return fault_; }

 private:
  void read_line(std::string_view line);
  void fail(std::string fault);

  State state_ = State::incomplete;
  Reply reply_;
  std::string partial_;     // a line whose end has not come yet
  std::size_t lines_ = 0;   // of the present reply
  std::size_t octets_ = 0;  // of the present reply
  std::string fault_;
};

}  // namespace relayd::smtp
