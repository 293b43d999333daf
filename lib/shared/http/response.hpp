// ResponseParser: one response of HTTP/1.1 from octets, strictly (RFC 9112).
//
// Pure; owned by an exchange. What two readers could take for two things is a fault: a bare CR or LF, a
// folded field, a length said twice, any transfer coding but chunked. Memory is bounded by the limits below
// and by the part of the body that is kept.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "shared/http/message.hpp"

namespace relayd::http {

class ResponseParser {
 public:
  enum class State { incomplete, complete, malformed };

  static constexpr std::size_t most_head = 32 * 1024;     // octets of a status line and its header
  static constexpr std::size_t most_fields = 256;         // in a header
  static constexpr int most_interim = 8;                  // responses 1xx, which are left out
  static constexpr std::size_t most_overhead = 8 * 1024;  // octets of chunk extensions and of trailers
  static constexpr std::size_t most_dropped = 64 * 1024;  // of a body beyond what is kept

  // To a request of that method, with the first `most` octets of its body. After a body that is longer than
  // what is kept and dropped, the response is complete, and its connection of no more use.
  ResponseParser(std::string_view method, std::size_t most);

  // How many of the octets belong to the response: all, until it is complete or malformed.
  std::size_t feed(std::string_view bytes);
  // The stream has ended here: that completes a response whose body has no other end.
  void end();

  State state() const;
  bool begun() const { return begun_; }                // an octet has come
  const std::string& fault() const { return fault_; }  // why it is malformed, for the operator
  // Of a complete one: the connection may carry another exchange, if nothing came behind the response.
  bool reusable() const { return reusable_; }
  Response take() { return std::move(response_); }

 private:
  enum class Phase {
    status,
    header,
    length,
    chunk_size,
    chunk,
    chunk_end,
    trailer,
    until_end,
    complete,
    malformed
  };

  std::size_t take_line(std::string_view bytes);
  void on_line(std::string_view line);
  void on_status(std::string_view line);
  void on_field(std::string_view line);
  void on_chunk_size(std::string_view line);
  void end_of_header();
  bool keeps_alive() const;
  bool read_framing(std::string_view name, std::string_view value);
  std::size_t take_body(std::string_view bytes);
  void refuse(std::string text);

  bool connect_;
  bool head_;
  std::size_t most_;
  Phase phase_ = Phase::status;
  bool begun_ = false;
  bool reusable_ = false;
  std::string fault_;
  Response response_;

  std::string line_;              // of what is read line by line, so far
  std::size_t room_ = most_head;  // octets that lines may still have
  int interim_ = 0;
  bool keep_alive_said_ = false;
  bool close_said_ = false;
  bool http_1_0_ = false;
  bool chunked_ = false;
  bool has_length_ = false;
  std::uint64_t left_ = 0;  // octets of the body, or of the chunk, yet to come
  std::size_t dropped_ = 0;
};

}  // namespace relayd::http
