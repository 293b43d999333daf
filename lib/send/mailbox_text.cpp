#include "send/mailbox_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "shared/base/ascii.hpp"
#include "shared/mail/lookup_key.hpp"
#include "shared/smtp/xtext.hpp"

namespace relayd::send {

namespace {

constexpr std::size_t longest_beginning = 4096;  // of a line: the fields that matter are shorter

// "rfc822;ann+40x@example.com" as an address; empty: there is none that could be shown in a field.
std::string original_address(const std::string& original_recipient) {
  const std::size_t semicolon = original_recipient.find(';');
  if (semicolon == std::string::npos) return {};
  return smtp::decode_xtext(original_recipient.substr(semicolon + 1)).value_or("");
}

}  // namespace

MailboxText::MailboxText(const mail::Envelope& envelope, std::span<const std::uint32_t> recipients)
    : top_(fmt::format("Return-Path: <{}>\n", envelope.sender)) {
  for (const std::uint32_t index : recipients) {
    const mail::Recipient& recipient = envelope.recipients[index];
    if (const std::string original = original_address(recipient.original_recipient); !original.empty())
      top_ += fmt::format("X-Original-To: {}\n", original);
    top_ += fmt::format("Delivered-To: {}\n", recipient.address);
    keys_.push_back(mail::lookup_key(recipient.address));
  }
}

void MailboxText::feed(std::string_view bytes, std::string& out) {
  while (!bytes.empty() && !lines_.over()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    add_text(bytes.substr(0, end), out);
    if (end < bytes.size()) end_line(out);
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
  }
  // A CR stands before an LF alone.
  std::ranges::copy_if(bytes, std::back_inserter(out), [](char c) { return c != '\r'; });
}

void MailboxText::add_text(std::string_view text, std::string& out) {
  const std::size_t before = line_.size();
  std::ranges::copy_if(text, std::back_inserter(line_), [](char c) { return c != '\r'; });
  lines_.text(std::string_view(line_).substr(before));
  if (line_.size() < longest_beginning) return;
  begin_line();
  if (!dropped_) out += line_;
  line_.clear();
  begun_ = true;
}

// Whether it is kept; a line that continues a field shares its fate.
void MailboxText::begin_line() {
  if (begun_ || line_.starts_with(' ') || line_.starts_with('\t')) return;
  const std::string_view line = line_;
  const std::size_t colon = std::min(line.find(':'), line.size());
  const std::string_view name = ascii::trimmed(line.substr(0, colon), ascii::white_space);
  const bool is_field = colon < line.size();
  dropped_ = is_field && ascii::equal_ignoring_case(name, "Return-Path");
  if (!is_field || !ascii::equal_ignoring_case(name, "Delivered-To")) return;
  const std::string_view address = ascii::trimmed(line.substr(colon + 1), ascii::white_space);
  loops_ |= std::ranges::find(keys_, mail::lookup_key(address)) != keys_.end();
}

void MailboxText::end_line(std::string& out) {
  begin_line();
  if (!dropped_) out += line_ + '\n';
  lines_.end_line();
  line_.clear();
  begun_ = false;
}

std::string maildir_name(WallTime taken, std::string_view id, std::uint32_t recipient,
                         std::string_view host) {
  using namespace std::chrono;
  const auto since = duration_cast<microseconds>(taken.time_since_epoch()).count();
  std::string name = fmt::format("{}.M{:06}Q{}R{}.", since / 1'000'000, since % 1'000'000, id, recipient);
  for (const char c : host) {
    if (c == '/' || c == ':' || c == ',')
      name += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
    else
      name += c;
  }
  return name;
}

}  // namespace relayd::send
