#include "rewrite/outgoing.hpp"

#include <utility>

#include "rewrite/control_fields.hpp"
#include "rewrite/signed_fields.hpp"
#include "rewrite/subject_prefix.hpp"
#include "shared/base/ascii.hpp"

namespace relayd::rewrite {

namespace {

// The header on its way through the steps. It is copied once a step changes it.
class Block {
 public:
  explicit Block(std::string_view stored) : stored_(stored) {}

  std::string_view text() const { return changed_ ? std::string_view(*changed_) : stored_; }
  void become(std::optional<std::string> other) {
    if (other) changed_ = std::move(other);
  }
  bool changed() const { return changed_.has_value(); }
  std::optional<std::string> take() { return std::move(changed_); }

 private:
  std::string_view stored_;
  std::optional<std::string> changed_;
};

const config::HeaderRules* headers_of(const Scope* scope) {
  return scope ? scope->headers : nullptr;
}

const RewriteRules* rewrite_of(const Scope* scope) {
  return scope ? &scope->rewrite : nullptr;
}

mail::Envelope& changed(Outgoing& out, const mail::Envelope& stored) {
  if (!out.envelope) out.envelope = stored;
  return *out.envelope;
}

bool is_staged(const Way& way) {
  return way.staging && way.staging->on();
}

// Whom it would leave to, at last: what was queued before staging began, and what rewriting made. Each keeps
// its place, for what becomes of it. The header says so whatever header rules say.
void stage(const Way& way, const mail::Envelope& stored, Outgoing& out, Block& block) {
  if (!is_staged(way)) return;
  for (std::size_t i = 0; i < stored.recipients.size(); ++i) {
    const mail::Recipient& leaves_as = (out.envelope ? *out.envelope : stored).recipients[i];
    if (leaves_as.address == way.staging->redirect() || way.staging->allows(leaves_as.address)) continue;
    changed(out, stored).recipients[i] = way.staging->stand_in();
    if (stored.recipients[i].address != way.staging->redirect()) out.replaced.push_back(stored.recipients[i]);
  }
  // To of a report names all that its reader may know.
  if (!out.replaced.empty() && !stored.report)
    block.become(original_to_fields(out.replaced) + std::string(block.text()));
  block.become(with_subject_prefix(block.text(), way.staging->subject_prefix(), stored.smtp_utf8));
}

// Against RFC 3464 2, where it must be: such a report bears NOTIFY=NEVER, and is marked as one in its header.
void replace_null_sender(const Way& way, const mail::Envelope& stored, Outgoing& out) {
  if (stored.report && stored.sender.empty() && !way.report_sender.empty())
    changed(out, stored).sender = way.report_sender;
}

void rewrite_addresses(const Way& way, const mail::Envelope& stored, Outgoing& out, Block& block) {
  static const TableLookup no_tables;
  const Rewriting rewriting({rewrite_of(way.rule), rewrite_of(way.upstream), rewrite_of(way.general)},
                            way.lookup ? *way.lookup : no_tables, stored.smtp_utf8);
  if (rewriting.empty()) return;
  Rewritten rewritten = rewriting.message(out.envelope ? *out.envelope : stored, block.text());
  if (rewritten.sender || !rewritten.recipients.empty()) apply(rewritten, changed(out, stored));
  block.become(std::move(rewritten.header));
  out.notes = std::move(rewritten.notes);
}

void apply_header_rules(const Way& way, const mail::Envelope& stored, Block& block) {
  const MergedHeaderRules rules({headers_of(way.rule), headers_of(way.upstream), headers_of(way.general)});
  if (!rules.empty())
    block.become(rules.apply(block.text(), {.smtp_utf8 = stored.smtp_utf8, .mark = way.mark}));
}

}  // namespace

Outgoing outgoing(const Way& way, const mail::Envelope& stored, std::string_view header) {
  Outgoing out;
  Block block(header);
  rewrite_addresses(way, stored, out, block);
  replace_null_sender(way, stored, out);
  if (way.control_fields)
    block.become(with_own_control_fields(block.text(), *way.control_fields, way.own_control_fields,
                                         stored.provider_headers && !is_staged(way)));
  apply_header_rules(way, stored, block);
  stage(way, stored, out, block);
  if (block.changed()) out.broken_signature = changed_signed_field(header, block.text());
  out.header = block.take();
  if (out.header && !stored.eight_bit && !ascii::all_ascii(*out.header))
    changed(out, stored).eight_bit = true;
  return out;
}

std::string_view header_of(std::string_view message) {
  const std::size_t end = message.find("\r\n\r\n");
  return end == std::string_view::npos ? message : message.substr(0, end + 4);
}

}  // namespace relayd::rewrite
