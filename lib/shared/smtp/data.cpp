#include "shared/smtp/data.hpp"

#include <algorithm>
#include <cstring>

namespace relayd::smtp {

namespace {

enum class Newline {
  none,       // the piece ends in the middle of a line
  canonical,  // CR LF
  bare,       // a CR or LF alone
  cut,        // CR as the last octet of the piece: the next one decides
};

// Walks over the newlines of a piece. Linear whatever the mix: the next LF is looked for once, not again for
// each CR before it.
class NewlineFinder {
 public:
  explicit NewlineFinder(std::string_view bytes) : bytes_(bytes), feed_(find('\n', 0, bytes.size())) {}

  // The first newline at or after `from`; begin and end are then its place.
  Newline next(std::size_t from) {
    if (feed_ < from) feed_ = find('\n', from, bytes_.size());
    begin = find('\r', from, feed_);
    end = std::min(begin + 1, bytes_.size());
    if (begin == bytes_.size()) return Newline::none;
    if (begin == feed_) return Newline::bare;
    if (end == bytes_.size()) return Newline::cut;
    if (end != feed_) return Newline::bare;
    ++end;
    return Newline::canonical;
  }

  std::size_t begin = 0;
  std::size_t end = 0;

 private:
  std::size_t find(char c, std::size_t from, std::size_t to) const {
    const auto* found = static_cast<const char*>(std::memchr(bytes_.data() + from, c, to - from));
    return found ? static_cast<std::size_t>(found - bytes_.data()) : to;
  }

  std::string_view bytes_;
  std::size_t feed_;
};

}  // namespace

std::size_t DataDecoder::feed(std::string_view bytes, std::string& out) {
  std::size_t taken = 0;
  while (taken < bytes.size() && state_ != State::done) {
    if (state_ == State::line_start || state_ == State::text) {
      taken += read_text(bytes.substr(taken), out);
    } else if (read_mark(bytes[taken], out)) {
      ++taken;
    }
  }
  if (taken != 0 && std::memchr(bytes.data(), '\0', taken)) {
    const std::string_view read = bytes.substr(0, taken);
    nul_octets_ += static_cast<std::uint64_t>(std::count(read.begin(), read.end(), '\0'));
  }
  return taken;
}

// Copies as much as possible at once: up to a dot at the start of a line or a newline that is not CR LF.
std::size_t DataDecoder::read_text(std::string_view bytes, std::string& out) {
  NewlineFinder newlines(bytes);
  std::size_t copied = 0;
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (state_ == State::line_start && bytes[at] == '.') {
      state_ = State::dot;
      out.append(bytes, copied, at - copied);
      return at + 1;
    }
    state_ = State::text;
    const Newline newline = newlines.next(at);
    if (in_header_ && newlines.begin != at) add_text(bytes.substr(at, newlines.begin - at), out);
    if (newline == Newline::none) break;
    at = newlines.end;
    if (newline == Newline::canonical) {
      end_line();
      state_ = State::line_start;
      continue;
    }
    out.append(bytes, copied, newlines.begin - copied);
    copied = at;
    if (newline == Newline::cut)
      state_ = State::cr;
    else if (bytes[newlines.begin] == '\r')
      bare_return(out);
    else
      bare_newline(out);
  }
  out.append(bytes, copied);
  return bytes.size();
}

// One octet in a place where it may be part of CR LF or of the end. False: it is text, read it again as such.
bool DataDecoder::read_mark(char c, std::string& out) {
  switch (state_) {
    case State::cr:
      if (c != '\n') return bare_return(out), false;
      out += "\r\n";
      end_line();
      state_ = State::line_start;
      return true;
    case State::dot:  // RFC 5321 4.5.2: more follows on the line, so the dot was stuffing
      state_ = c == '\r' ? State::dot_cr : State::text;
      return c == '\r';
    default:  // dot_cr
      if (c != '\n') return bare_return(out), false;
      state_ = State::done;
      return true;
  }
}

// Something of a line of the header is next; all before it is in `out`, but for the CRs.
void DataDecoder::add_text(std::string_view text, std::string& out) {
  out.append(returns_, ' ');
  lines_.text(returns_ > 0 ? " " : text);
  returns_ = 0;
}

void DataDecoder::end_line() {
  if (!in_header_) return;
  lines_.end_line();
  in_header_ = !lines_.over();
  returns_ = 0;
}

void DataDecoder::bare_newline(std::string& out) {
  out += "\r\n";
  ++bare_newlines_;
  end_line();
  state_ = State::text;
}

void DataDecoder::bare_return(std::string& out) {
  const bool begins = lines_.line_empty();
  const bool in_field = in_header_ && (begins ? lines_.field_above() : lines_.in_field());
  if (!in_field) return bare_newline(out);
  ++bare_newlines_;
  if (begins)
    ++returns_;
  else
    out += ' ';
  state_ = State::text;
}

void DataEncoder::feed(std::string_view bytes, std::string& out) {
  if (bytes.empty()) return;
  if (state_ == State::cr) {
    if (bytes.front() == '\n') bytes.remove_prefix(1);
    out += "\r\n";
    state_ = State::line_start;
  }
  NewlineFinder newlines(bytes);
  std::size_t copied = 0;
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (state_ == State::line_start && bytes[at] == '.') {
      out.append(bytes, copied, at - copied) += '.';
      copied = at;
    }
    const Newline newline = newlines.next(at);
    state_ = newline == Newline::none ? State::text : State::line_start;
    if (newline == Newline::none) break;
    at = newlines.end;
    if (newline == Newline::canonical) continue;
    out.append(bytes, copied, newlines.begin - copied);
    copied = at;
    if (newline == Newline::cut)
      state_ = State::cr;
    else
      out += "\r\n";
  }
  out.append(bytes, copied);
}

void DataEncoder::finish(std::string& out) {
  if (state_ != State::line_start) out += "\r\n";
  out += ".\r\n";
  state_ = State::line_start;
}

}  // namespace relayd::smtp
