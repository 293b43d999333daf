// relayd dns: the records that a domain needs for the mail which this configuration sends from it. It asks no
// DNS.
#include <fmt/format.h>
#include <sysexits.h>

#include <algorithm>
#include <vector>

#include "commands.hpp"
#include "records.hpp"
#include "relay/signing_keys.hpp"
#include "rewrite/dkim.hpp"
#include "route/router.hpp"
#include "shared/config/value.hpp"
#include "shared/mail/a_label.hpp"
#include "shared/mail/address.hpp"
#include "shown.hpp"

namespace relayd::command {

namespace {

std::string dkim_lines(const rewrite::DkimKeys& keys, const std::string& domain) {
  const std::span<const rewrite::DkimSigner> signers = keys.of_domain(domain);
  if (signers.empty()) return "; DKIM: no key of 'dkim' signs for it; its providers may\n";
  std::string text = "; DKIM\n";
  for (const rewrite::DkimSigner& signer : signers)
    text += zone_line(dkim_record_name(signer.selector, signer.domain), dkim_record(*signer.key));
  return text;
}

// The upstreams that mail from any address of the domain may go to, in the file's order.
std::vector<const route::Upstream*> upstreams_of(const route::Router& router, const std::string& domain) {
  std::vector<const route::Upstream*> used;
  const auto add = [&used](std::span<const route::Choice> choices) {
    for (const route::Choice& choice : choices) used.push_back(choice.upstream);
  };
  add(router.route("@" + domain).choices);
  const std::vector<config::SenderRule>& rules = router.config().senders;
  for (std::size_t i = 0; i < rules.size(); ++i)
    if (mail::a_labels(mail::split(rules[i].match).domain) == domain) add(router.choices()[i]);
  std::ranges::sort(used);
  used.erase(std::ranges::unique(used).begin(), used.end());
  return used;
}

// One record for all: a domain with two of them has none (RFC 7208 4.5).
std::string spf_lines(const std::vector<const route::Upstream*>& upstreams, const std::string& domain) {
  std::string text;
  std::vector<std::string_view> included;
  for (const route::Upstream* upstream : upstreams) {
    if (upstream->sandbox_directory) continue;
    const std::string_view spf = upstream->preset ? upstream->preset->spf : std::string_view();
    if (spf.empty())
      text += fmt::format("; SPF: what '{}' ({}) needs is not known here: its operator says\n",
                          upstream->name, upstream->host);
    else if (std::ranges::find(included, spf) == included.end())
      included.push_back(spf);
  }
  if (upstreams.empty()) text += "; SPF: no sender rule sends from it\n";
  if (included.empty()) return text;
  text += "; SPF, where bounces come back to this domain; one record for all that send from it\n";
  return text + zone_line(domain, fmt::format("v=spf1 include:{} ~all", fmt::join(included, " include:")));
}

}  // namespace

int dns(const Options& options) {
  const std::shared_ptr<const config::Config> config = usable_config(options);
  if (!config) return EX_CONFIG;
  const route::Router::Built built = route::Router::build(config);
  print(built.errors);
  const SigningKeysResult signing = read_signing_keys(*config);
  print(signing.errors);
  if (!built.router || !signing.errors.empty()) return EX_CONFIG;
  const std::string domain = mail::a_labels(options.domain);
  if (!config::parse_signing_domain(domain)) {
    fmt::print(stderr, "relayd: '{}' is not a domain\n", shown(options.domain));
    return EX_USAGE;
  }
  std::string text = dkim_lines(signing.keys, domain);
  text += spf_lines(upstreams_of(*built.router, domain), domain);
  text += "; DMARC, to begin with: p=quarantine or p=reject once the reports are clean\n";
  text += zone_line("_dmarc." + domain, fmt::format("v=DMARC1; p=none; rua=mailto:postmaster@{}", domain));
  fmt::print("{}", shown_lines(text));
  return EX_OK;
}

}  // namespace relayd::command
