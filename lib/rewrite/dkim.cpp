#include "rewrite/dkim.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "rewrite/dkim_header.hpp"
#include "rewrite/folding.hpp"
#include "shared/base/ascii.hpp"
#include "shared/base/base64.hpp"
#include "shared/mail/a_label.hpp"
#include "shared/mail/address.hpp"
#include "shared/mail/field.hpp"
#include "shared/mail/mailboxes.hpp"

namespace relayd::rewrite {

namespace {

using Type = crypto::SigningKey::Type;

// --- whose keys -------------------------------------------------------------------------------------------

// A folded text against one in any case.
int compare(std::string_view folded, std::string_view any) {
  const std::size_t both = std::min(folded.size(), any.size());
  for (std::size_t i = 0; i < both; ++i)
    if (const char c = ascii::lower(any[i]); folded[i] != c) return folded[i] < c ? -1 : 1;
  return folded.size() < any.size() ? -1 : folded.size() > any.size() ? 1 : 0;
}

// The body of the only From field; nothing when there is none, or more than one.
std::optional<std::string_view> from_of(std::string_view header) {
  std::optional<std::string_view> from;
  for (mail::Field field; mail::next_field(header, field);) {
    if (!field.is("From")) continue;
    if (from) return std::nullopt;
    from = field.body;
  }
  return from;
}

// At a glance, of one address without quotes, comments and groups, as most are; empty when that is not
// enough.
std::string_view plain_address(std::string_view body) {
  if (body.find_first_of("\"(),:;\\[") != body.npos) return {};
  const std::size_t open = body.find('<');
  std::string_view address =
      ascii::trimmed(body.substr(open == body.npos ? 0 : open + 1), ascii::white_space);
  if (open != body.npos) {
    if (!address.ends_with('>')) return {};
    address.remove_suffix(1);
  }
  const std::string_view before = body.substr(0, open == body.npos ? 0 : open);
  const bool hides = before.find('@') != before.npos || address.find("=?") != address.npos;
  const bool plain = !hides && std::ranges::count(address, '@') == 1 &&
                     mail::check_address(address, true) == mail::AddressFault::none;
  return plain ? address : std::string_view();
}

// --- how a field is written -------------------------------------------------------------------------------

// A field that is folded as it grows.
class Folded {
 public:
  explicit Folded(std::string_view start) : text_(start), column_(start.size()) {}

  // With a blank or a new line before it.
  void word(std::string_view word) {
    if (column_ + 1 + word.size() > wanted_line) return new_line(word);
    text_.append(" ").append(word);
    column_ += 1 + word.size();
  }
  // Right behind what is there, or on a new line.
  void joined(std::string_view part) {
    if (column_ + part.size() > wanted_line) return new_line(part);
    text_ += part;
    column_ += part.size();
  }
  // The same of a text that may be cut anywhere.
  void cut(std::string_view part) {
    while (!part.empty()) {
      const std::size_t room = column_ < wanted_line ? wanted_line - column_ : wanted_line - 1;
      joined(part.substr(0, room));
      part.remove_prefix(std::min(room, part.size()));
    }
  }
  const std::string& text() const { return text_; }

 private:
  void new_line(std::string_view word) {
    text_.append("\r\n\t").append(word);
    column_ = 1 + word.size();
  }

  std::string text_;
  std::size_t column_;
};

void append_list(Folded& out, std::span<const SignedField> fields) {
  std::string item;
  for (const SignedField& field : fields) {
    const bool first = &field == &fields.front();
    const bool last = &field == &fields.back();
    item.assign(first ? "h=" : "").append(field.name).append(last ? ";" : ":");
    first ? out.word(item) : out.joined(item);
  }
}

// Up to "b=", of which the signature is empty as long as it is computed (RFC 6376 3.7).
Folded unsigned_field(const DkimSigner& signer, std::span<const SignedField> fields,
                      const std::string& body_hash, WallTime now) {
  const auto time = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch());
  Folded field("DKIM-Signature: v=1;");
  field.word(signer.key->type() == Type::rsa ? "a=rsa-sha256;" : "a=ed25519-sha256;");
  field.word("c=relaxed/relaxed;");
  field.word(fmt::format("d={};", signer.domain));
  field.word(fmt::format("s={};", signer.selector));
  field.word(fmt::format("t={};", time.count()));
  if (signer.expires_after) field.word(fmt::format("x={};", (time + *signer.expires_after).count()));
  append_list(field, fields);
  field.word(fmt::format("bh={};", body_hash));
  field.word("b=");
  return field;
}

std::string signed_field(const DkimSigner& signer, crypto::Sha256 covered,
                         std::span<const SignedField> fields, const std::string& body_hash, WallTime now) {
  Folded field = unsigned_field(signer, fields, body_hash, now);
  std::string own;
  append_relaxed(own, field.text());
  covered.update(std::string_view(own).substr(0, own.size() - 2));  // without its CR LF
  field.cut(base64::encode(signer.key->sign(covered.finish())));
  return field.text() + "\r\n";
}

}  // namespace

DkimKeys::DkimKeys(std::vector<DkimSigner> signers) : signers_(std::move(signers)) {
  for (DkimSigner& signer : signers_) signer.domain = mail::a_labels(signer.domain);
  std::ranges::stable_sort(signers_, {}, &DkimSigner::domain);
}

std::span<const DkimSigner> DkimKeys::of_domain(std::string_view domain) const {
  if (empty() || domain.empty()) return {};
  if (!ascii::all_ascii(domain)) {
    const std::string labels = mail::a_labels(domain);
    return ascii::all_ascii(labels) ? of_domain(labels) : std::span<const DkimSigner>();
  }
  for (;;) {
    const auto first = std::ranges::partition_point(
        signers_, [domain](const DkimSigner& signer) { return compare(signer.domain, domain) < 0; });
    const auto last = std::ranges::partition_point(
        signers_, [domain](const DkimSigner& signer) { return compare(signer.domain, domain) <= 0; });
    if (first != last) return {first, last};
    const std::size_t dot = domain.find('.');
    if (dot == domain.npos) return {};
    domain.remove_prefix(dot + 1);
  }
}

std::span<const DkimSigner> DkimKeys::of_header(std::string_view header) const {
  if (empty()) return {};
  const std::optional<std::string_view> from = from_of(header);
  if (!from) return {};
  if (const std::string_view address = plain_address(*from); !address.empty())
    return of_domain(mail::split(address).domain);
  const std::vector<mail::Mailbox> authors = mail::mailboxes(*from);
  return authors.empty() ? of_domain({}) : of_domain(mail::split(authors.front().address).domain);
}

std::string dkim_fields(std::span<const DkimSigner> signers, std::string_view header,
                        const crypto::Digest& body_hash, WallTime now,
                        std::span<const std::string_view> unsigned_names) {
  if (signers.empty()) return {};
  const std::vector<SignedField> fields = signed_fields(header, unsigned_names);
  crypto::Sha256 covered;
  covered.update(relaxed(fields));
  const std::string hash =
      base64::encode({reinterpret_cast<const char*>(body_hash.data()), body_hash.size()});
  std::string text;
  for (const DkimSigner& signer : signers) text += signed_field(signer, covered, fields, hash, now);
  return text;
}

}  // namespace relayd::rewrite
