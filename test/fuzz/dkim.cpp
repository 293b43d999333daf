#include "rewrite/dkim.hpp"

#include <string>
#include <vector>

#include "fuzz/targets.hpp"
#include "rewrite/dkim_body.hpp"
#include "rewrite/dkim_header.hpp"
#include "shared/mail/a_label.hpp"
#include "shared/mail/field.hpp"
#include "shared/mail/mailboxes.hpp"

namespace relayd::fuzz {

namespace {

const std::shared_ptr<const crypto::SigningKey> key =
    *crypto::SigningKey::parse("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=");
const std::vector<rewrite::DkimSigner> signers = {{"example.com", "s", key, std::chrono::hours(1)}};

void body(std::string_view input, std::size_t cut) {
  rewrite::BodyHash whole, parts, octets;
  whole.update(input);
  parts.update(input.substr(0, cut));
  parts.update(input.substr(cut));
  for (const char& c : input) octets.update({&c, 1});
  const crypto::Digest digest = whole.finish();
  demand(digest == parts.finish() && digest == octets.finish(), "where a body is cut does not matter");
}

void field_of(std::string_view whole) {
  std::string once, twice;
  rewrite::append_relaxed(once, whole);
  demand(once.ends_with("\r\n"), "a canonical field is a line");
  rewrite::append_relaxed(twice, once);
  demand(once.find("\r\n") + 2 != once.size() || once == twice, "canonical text is its own canonical text");
}

// At a glance or by the parser, the author is the same.
void author(const std::string& header, std::string_view from) {
  const rewrite::DkimKeys keys(signers);
  const std::vector<mail::Mailbox> authors = mail::mailboxes(from);
  const std::size_t at = authors.empty() ? std::string::npos : authors.front().address.rfind('@');
  const bool ours =
      at != std::string::npos && !keys.of_domain(authors.front().address.substr(at + 1)).empty();
  demand(ours == !keys.of_header(header).empty(), "a key signs for the first author's domain alone");
}

void fields(std::string_view input) {
  const std::string text = rewrite::dkim_fields(signers, input, crypto::Digest{}, WallTime{});
  demand(text.starts_with("DKIM-Signature: ") && text.ends_with("\r\n"), "a signature is a field");
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find("\r\n", at);
    demand(end - at <= 78, "the lines of a signature are short");
    demand(at == 0 || text[at] == '\t', "a signature is one field");
    at = end + 2;
  }
  demand(text.find_first_not_of("\r\n\t !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
                                "abcdefghijklmnopqrstuvwxyz{|}~") == text.npos,
         "a signature is graphic");
}

}  // namespace

void dkim(std::string_view input) {
  body(input, cut_of(input));
  for (std::string_view rest = input; !rest.empty();) field_of(mail::take_field(rest).whole);
  fields(input);
  const std::string_view line = input.substr(0, input.find('\n'));
  author("From: " + std::string(line) + "\r\n", std::string(" ") + std::string(line) + "\r\n");
  demand(mail::a_labels(input).size() >= input.size() / 4, "a domain is not lost");
}

}  // namespace relayd::fuzz
