#include "shared/smtp/command.hpp"

#include <algorithm>

#include "fuzz/targets.hpp"
#include "shared/base/ascii.hpp"
#include "shared/mail/address.hpp"
#include "shared/smtp/envelope_command.hpp"

namespace relayd::fuzz {

namespace {

void demand_clean(std::string_view text) {
  demand(std::none_of(text.begin(), text.end(), ascii::is_control), "no control character in a value");
}

smtp::Capabilities everything() {
  smtp::Capabilities all;
  all.size = all.eight_bit_mime = all.smtp_utf8 = all.dsn = all.require_tls = true;
  return all;
}

// Without the CR LF, which must be the only one.
std::string line_of(std::string command) {
  demand(command.ends_with("\r\n"), "a command ends with CR LF");
  command.resize(command.size() - 2);
  demand_clean(command);
  return command;
}

void check(const smtp::Mail& mail) {
  demand_clean(mail.reverse_path + mail.ret + mail.envelope_id + mail.auth.value_or(""));
  mail::Envelope envelope;
  envelope.sender = mail.reverse_path;
  envelope.eight_bit = mail.eight_bit;
  envelope.smtp_utf8 = mail.smtp_utf8;
  envelope.require_tls = mail.require_tls;
  envelope.ret = mail.ret;
  envelope.envelope_id = mail.envelope_id;
  const auto again = smtp::parse_command(line_of(smtp::mail_from(envelope, 1, everything())));
  const auto* const read = std::get_if<smtp::Mail>(&again);
  demand(read && read->reverse_path == mail.reverse_path && read->envelope_id == mail.envelope_id &&
             read->eight_bit == mail.eight_bit && read->smtp_utf8 == mail.smtp_utf8 &&
             read->ret == mail.ret && read->require_tls == mail.require_tls,
         "MAIL is passed on as it was understood");
}

void check(const smtp::Rcpt& rcpt) {
  demand_clean(rcpt.forward_path + rcpt.notify + rcpt.original_recipient);
  const mail::Recipient recipient{rcpt.forward_path, rcpt.notify, rcpt.original_recipient};
  const auto again = smtp::parse_command(line_of(smtp::rcpt_to(recipient, everything())), true);
  const auto* const read = std::get_if<smtp::Rcpt>(&again);
  demand(read && read->forward_path == rcpt.forward_path && read->notify == rcpt.notify &&
             read->original_recipient == rcpt.original_recipient,
         "RCPT is passed on as it was understood");
}

void check(const smtp::Ehlo& ehlo) {
  demand_clean(ehlo.domain);
}
void check(const smtp::Helo& helo) {
  demand_clean(helo.domain);
}
void check(const smtp::Vrfy& vrfy) {
  demand_clean(vrfy.argument);
}
void check(const smtp::Auth& auth) {
  demand_clean(auth.mechanism + auth.response.value_or(""));
}
void check(const smtp::Unknown& unknown) {
  demand_clean(unknown.verb);
}
void check(const smtp::Rejected& rejected) {
  demand(rejected.reply.permanent(), "bad syntax stays bad");
  demand(rejected.reply.enhanced.status_class == 5, "the enhanced code says the same as the code");
  demand_clean(rejected.reply.text);
}
template <class T>
void check(const T&) {}

// What reads as an address of ours must not be written as something else, however bad it is.
void check_writing(std::string_view input) {
  line_of(smtp::rcpt_to({std::string(input), std::string(input), std::string(input)}, everything()));
}

}  // namespace

void command(std::string_view input) {
  check_writing(input);
  const bool smtp_utf8 = cut_of(input) % 2 == 1;
  std::visit([](const auto& value) { check(value); }, smtp::parse_command(input, smtp_utf8));
}

}  // namespace relayd::fuzz
