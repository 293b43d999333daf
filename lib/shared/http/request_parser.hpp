// RequestParser: one request of HTTP/1.1 from octets, as a server reads it, strictly (RFC 9112).
//
// Pure; owned by an exchange of the Server. What two readers could take for two things is a fault: a bare CR
// or LF, a folded field, a length said twice, two hosts. A body has a Content-Length; one that is chunked is
// refused (411, RFC 9112 6.3), since nobody who talks to us needs it. Memory is bounded by the limits below.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shared/http/message.hpp"

namespace relayd::http {

// A request as it came.
struct ReceivedRequest {
  std::string method;
  std::string target;  // "/path?query", or "*"
  std::string
      authority;  // whom it is for, in lower case: "localhost:9125", "[::1]"; empty: HTTP/1.0 may not say
  std::vector<Header> headers;  // names in lower case
  std::string body;
  bool is_http_1_0 = false;  // nothing that HTTP/1.1 has added is understood
  bool keeps_alive = false;  // the connection may carry another one (RFC 9112 9.3)

  // The value of that header, whose name is in lower case; null: there is none, or more than one.
  const std::string* header(std::string_view name) const;
  // The part of the target before its query.
  std::string_view path() const;
  std::string_view query() const;

  bool operator==(const ReceivedRequest&) const = default;
};

class RequestParser {
 public:
  enum class State { incomplete, complete, malformed };

  static constexpr std::size_t most_target = 8 * 1024;  // octets of a request line
  static constexpr std::size_t most_head = 32 * 1024;   // of the request line and the header
  static constexpr std::size_t most_fields = 100;

  explicit RequestParser(std::size_t most_body) : most_body_(most_body) {}

  // How many of the octets belong to the request: all, until it is complete or malformed.
  std::size_t feed(std::string_view bytes);

  State state() const;
  bool begun() const { return begun_; }  // an octet has come
  bool in_body() const { return phase_ == Phase::body; }
  // The client waits for 100 before it sends the body (RFC 9110 10.1.1).
  bool awaits_continue() const { return phase_ == Phase::body && expects_ && request_.body.empty(); }
  // Of a malformed one: with what it is answered, and what is wrong with it.
  int status() const { return status_; }
  const std::string& fault() const { return fault_; }
  ReceivedRequest take() { return std::move(request_); }

 private:
  enum class Phase { line, header, body, complete, malformed };

  std::size_t take_line(std::string_view bytes);
  void on_request_line(std::string_view line);
  void on_target(std::string_view target);
  void on_field(std::string_view line);
  void on_framing(const Header& header);
  void end_of_header();
  void refuse(int status, std::string fault);

  std::size_t most_body_;
  Phase phase_ = Phase::line;
  bool begun_ = false;
  int status_ = 0;
  std::string fault_;
  ReceivedRequest request_;

  std::string line_;              // so far
  std::size_t room_ = most_head;  // octets that lines may still have
  bool absolute_ = false;         // the target names whom it is for
  bool has_host_ = false;
  bool has_length_ = false;
  bool is_coded_ = false;  // has a Transfer-Encoding
  bool expects_ = false;
  bool close_said_ = false;
  std::uint64_t left_ = 0;  // octets of the body yet to come
};

}  // namespace relayd::http
