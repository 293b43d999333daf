// generic, canonical, virtual, aliases and copies: `rewrite`, `aliases` and `bcc`, a row each.
#include <fmt/format.h>

#include "import/context.hpp"
#include "shared/base/ascii.hpp"
#include "shared/config/yaml_text.hpp"

namespace relayd::importing {

namespace {

using config::yaml_quoted;

// Calls with each row of the tables, and reports what is not rows.
template <class Take>
void each_row(Context& context, std::string_view name, Take take, bool aliases = false) {
  for (const Map& map : context.tables(name, {}, aliases)) {
    if (map.kind == Map::Kind::patterns || map.kind == Map::Kind::fixed)
      context.report.left(
          context.place(name),
          fmt::format("{}: {}; relayd has patterns in `tables` (regexp), of RE2's syntax", name, map.name));
    if (map.kind == Map::Kind::rows)
      for (const Row& row : map.rows) take(row);
  }
}

void rewrite(Context& context, std::string_view name, std::string_view places, std::string_view when) {
  each_row(context, name, [&](const Row& row) {
    const std::string match = context.completed(row.key), to = context.completed(row.value);
    context.draft.add(Section::rewrite,
                      fmt::format("- {{match: {}, to: {}, in: [{}], when: {}}}", yaml_quoted(match),
                                  yaml_quoted(to), places, when),
                      row.where, std::string(name));
    context.report.carried(row.where, fmt::format("{} becomes {}{}", match, to,
                                                  when == "sent" ? " in what leaves" : " when it is taken"));
  });
}

std::string classes(Context& context, std::string_view name) {
  std::string places;
  for (const std::string& word : words_of(context.value(name))) {
    const std::string_view place = word == "envelope_sender"      ? "sender"
                                   : word == "envelope_recipient" ? "recipient"
                                   : word == "header_sender"      ? "from"
                                   : word == "header_recipient"   ? "to"
                                                                  : "";
    if (!place.empty()) places += fmt::format("{}{}", places.empty() ? "" : ", ", place);
  }
  context.carried(name, "`in` of the rules");
  return places;
}

void alias(Context& context, const Row& row, std::string_view name) {
  if (row.key.find('@') == std::string::npos && row.key.find('.') != std::string::npos &&
      name == "virtual_alias_maps")
    return context.report.carried(row.where, "it names a domain of aliases, and no alias");
  std::string targets;
  for (const std::string& target : words_of(row.value)) {
    if (target.find_first_of("|/:\"") != std::string::npos)
      return context.report.left(row.where,
                                 fmt::format("{}: a program, a file or a list of its own; relayd sends to "
                                             "addresses alone",
                                             row.key));
    targets += (targets.empty() ? "" : ", ") + yaml_quoted(target);
  }
  if (targets.empty()) return context.report.left(row.where, fmt::format("{} stands for nobody", row.key));
  context.draft.add(Section::aliases, fmt::format("{}: [{}]", yaml_quoted(row.key), targets), row.where,
                    row.key);
  context.report.carried(row.where, fmt::format("an alias of {}", row.key));
}

void copies(Context& context, std::string_view name, std::string_view key) {
  each_row(context, name, [&](const Row& row) {
    const std::string match = context.completed(row.key);
    context.draft.add(Section::bcc,
                      fmt::format("- {{{}: {}, to: {}}}", key, yaml_quoted(match),
                                  yaml_quoted(context.completed(row.value))),
                      row.where, match);
    context.report.carried(row.where,
                           fmt::format("copies of mail {} {}", key == "match" ? "from" : "to", match));
  });
  context.carried(name, "`bcc`, a row each");
}

}  // namespace

void import_addresses(Context& context) {
  rewrite(context, "smtp_generic_maps", "sender, recipient, header", "sent");
  context.carried(
      "smtp_generic_maps",
      "rules of `rewrite` with `when: sent`, a row each; later rows of the file are no longer read");
  for (const auto& [name, of] : {std::pair("sender_canonical_maps", "sender_canonical_classes"),
                                 std::pair("recipient_canonical_maps", "recipient_canonical_classes"),
                                 std::pair("canonical_maps", "canonical_classes")}) {
    const std::string places = classes(context, of);
    if (!context.is_set(name)) continue;
    rewrite(context, name, places, "taken");
    context.carried(
        name,
        "rules of `rewrite` with `when: taken`, a row each; each address is mapped once, and the header "
        "of all clients' mail");
  }
  each_row(context, "virtual_alias_maps", [&](const Row& row) { alias(context, row, "virtual_alias_maps"); });
  context.carried("virtual_alias_maps", "`aliases`, a row each");
  const std::string local = context.value("mydestination");
  if (context.is_set("alias_maps") && local.empty())
    context.carried("alias_maps", "nothing: without mydestination Postfix asks it for no mail");
  else if (context.is_set("alias_maps")) {
    each_row(
        context, "alias_maps", [&](const Row& row) { alias(context, row, "alias_maps"); }, true);
    context.carried("alias_maps", "`aliases`, for names at `origin` and `hostname`");
  }
  if (!local.empty())
    context.left("mydestination",
                 "local mailboxes: mail for these domains goes where `senders` says; for a mailbox see "
                 "`recipients` with an upstream that has `maildir`");
  else
    context.carried("mydestination", "no mail is delivered on this machine");
  if (context.is_set("always_bcc")) {
    context.draft.add(Section::bcc,
                      fmt::format("- {{match: \"*\", to: {}}}",
                                  yaml_quoted(context.completed(context.value("always_bcc")))),
                      context.place("always_bcc"), "always_bcc");
    context.carried("always_bcc", "`bcc` of all senders");
  }
  copies(context, "sender_bcc_maps", "match");
  copies(context, "recipient_bcc_maps", "recipient");
}

}  // namespace relayd::importing
