#include "sender_dns.hpp"

#include <algorithm>
#include <chrono>

#include "records.hpp"
#include "shared/config/conditions.hpp"
#include "shared/config/value.hpp"
#include "shared/mail/a_label.hpp"
#include "shared/mail/address.hpp"
#include "shared/net/txt_lookup.hpp"

namespace relayd::command {

using dns::Answers;
using dns::SenderRecords;

namespace {

// The upstreams that mail from any address of the domain may go to, in the file's order.
std::vector<const route::Upstream*> upstreams_of(const route::Router& router, const std::string& domain) {
  std::vector<const route::Upstream*> used;
  const auto add = [&used](std::span<const route::Choice> choices) {
    for (const route::Choice& choice : choices) used.push_back(choice.upstream);
  };
  add(router.route("@" + domain).choices);
  const config::Config& config = router.config();
  const std::size_t by_recipient = config.recipients.size();  // whoever sends
  for (std::size_t i = 0; i < by_recipient; ++i) add(router.choices()[i]);
  for (std::size_t i = 0; i < config.senders.size(); ++i)
    if (mail::a_labels(mail::split(config.senders[i].match).domain) == domain ||
        config::asks_more(config.senders[i].conditions))
      add(router.choices()[by_recipient + i]);
  std::ranges::sort(used);
  used.erase(std::ranges::unique(used).begin(), used.end());
  std::erase_if(used, [](const route::Upstream* upstream) { return upstream->stays_here(); });
  return used;
}

}  // namespace

SenderRecords records_of(const route::Router& router, const rewrite::DkimKeys& keys,
                         const std::string& domain) {
  SenderRecords records{domain, {}, {}};
  for (const rewrite::DkimSigner& signer : keys.of_domain(domain))
    records.keys.push_back(public_half(signer.domain, signer.selector, *signer.key));
  for (const route::Upstream* upstream : upstreams_of(router, domain))
    records.ways.push_back(
        {upstream->name, upstream->host, std::string(upstream->preset ? upstream->preset->spf : "")});
  return records;
}

// "127.0.0.1", "127.0.0.1:5353", "::1", "[::1]:5353".
std::optional<std::string> parse_server(const std::string& text) {
  for (const std::string& form : {text, text + ":53", "[" + text + "]:53"})
    if (const Result<config::Endpoint> endpoint = config::parse_endpoint(form);
        endpoint && !endpoint->host.empty() && endpoint->port != 0)
      return form;
  return {};
}

// A look-up may tell of names to ask for next; all of it is done within the time.
Answers ask(const SenderRecords& records, const std::vector<std::string>& servers) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + std::chrono::seconds(20);
  Answers answers;
  for (;;) {
    const std::vector<std::string> names = names_to_ask(records, answers);
    if (names.empty()) return answers;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    answers.merge(net::look_up_texts(names, servers, left));
  }
}

}  // namespace relayd::command
