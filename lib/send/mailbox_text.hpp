// MailboxText: a message as a Maildir keeps it: lines that end with LF, and the fields of its final delivery
// on top (RFC 5321 4.4).
//
// Pure. Takes pieces cut at any octet of what DataDecoder gives out; memory is bounded whatever it is fed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/time.hpp"
#include "shared/mail/envelope.hpp"
#include "shared/mail/header.hpp"

namespace relayd::send {

class MailboxText {
 public:
  // For these recipients of the envelope.
  MailboxText(const mail::Envelope& envelope, std::span<const std::uint32_t> recipients);

  // What stands on top: Return-Path, X-Original-To and Delivered-To.
  const std::string& top() const { return top_; }
  // Appends what is kept of the next piece: all but a Return-Path of before.
  void feed(std::string_view bytes, std::string& out);

  // The message has been delivered to one of the recipients before, by its Delivered-To.
  bool loops() const { return loops_; }

 private:
  void add_text(std::string_view text, std::string& out);
  void begin_line();
  void end_line(std::string& out);

  std::string top_;
  std::vector<std::string> keys_;  // of the recipients
  mail::HeaderLines lines_;
  std::string line_;      // the beginning of the present line of the header
  bool begun_ = false;    // more of that line was kept, or left out, already
  bool dropped_ = false;  // the present field is
  bool loops_ = false;
};

// "1700000000.M000123Q1jk0aq2c5m0R0.relay.example.com": time, what is unique, host, by the custom of Maildir.
// The name of a message for a recipient is always the same, so that one that is delivered twice meets its own
// file.
std::string maildir_name(WallTime taken, std::string_view id, std::uint32_t recipient, std::string_view host);

}  // namespace relayd::send
