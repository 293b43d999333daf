#include "drop/batch.hpp"

#include "shared/smtp/envelope_command.hpp"

namespace relayd::drop {

namespace {

// The extensions of the session that will read it.
smtp::Capabilities own_capabilities() {
  smtp::Capabilities capabilities;
  capabilities.size = true;
  capabilities.eight_bit_mime = true;
  capabilities.smtp_utf8 = true;
  capabilities.dsn = true;
  return capabilities;
}

}  // namespace

std::string head(const mail::Envelope& envelope, std::uint64_t size) {
  const smtp::Capabilities capabilities = own_capabilities();
  std::string text(version_line);
  text += smtp::mail_from(envelope, size, capabilities);
  for (const mail::Recipient& recipient : envelope.recipients) text += smtp::rcpt_to(recipient, capabilities);
  return text += "DATA\r\n";
}

bool HeadReader::read(std::string_view line) {
  switch (next_) {
    case Next::version:
      next_ = Next::mail;
      return line == version_line.substr(0, version_line.size() - 2);
    case Next::mail:
      next_ = Next::first_rcpt;
      return line.starts_with("MAIL FROM:");
    case Next::rcpt:
      if (line == "DATA") {
        next_ = Next::message;
        return true;
      }
      [[fallthrough]];
    case Next::first_rcpt:
      next_ = Next::rcpt;
      return line.starts_with("RCPT TO:") && ++recipients_ <= recipients_limit;
    case Next::message:
      break;
  }
  return false;
}

}  // namespace relayd::drop
