#include "relay/lanes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "queue/message.hpp"
#include "relay/limits.hpp"
#include "route/oauth2.hpp"
#include "send/maildir.hpp"
#include "send/sandbox.hpp"
#include "send/smtp_transport.hpp"
#include "shared/config/value.hpp"
#include "shared/disk/posix_disk.hpp"
#include "shared/mail/lookup_key.hpp"
#include "shared/smtp/envelope_command.hpp"
#include "tell/log.hpp"

namespace relayd {

namespace {

async::TlsPolicy tls_policy(const route::Upstream& upstream, const route::Choice& choice) {
  const config::TlsOptions& tls = upstream.tls_options;
  async::TlsPolicy policy;
  policy.name = tls.name.empty() && !upstream.by_dns() ? upstream.host : tls.name;
  policy.ca_file = tls.ca_file;
  policy.verify = tls.verify;
  policy.tls1_3_only = tls.min_version == config::TlsVersion::tls1_3;
  policy.pins = tls.pins;
  policy.client_certificate = tls.client_certificate;
  policy.client_key = tls.client_key;
  policy.account = choice.id;
  return policy;
}

}  // namespace

send::Target make_target(const route::Upstream& upstream, const route::Choice& choice, std::size_t endpoint,
                         const std::string& hostname) {
  send::Target target;
  target.host = upstream.host;
  // Of a message that was taken before a reload, the ports may have been fewer.
  const route::Endpoint& port = upstream.endpoints[std::min(endpoint, upstream.endpoints.size() - 1)];
  target.port = port.port;
  target.tls_mode = port.tls;
  target.tls = tls_policy(upstream, choice);
  target.hostname = hostname;
  target.mechanisms = route::mechanisms_of(choice);
  // What a proxy takes for loopback is its own; and DNS may name any host.
  target.clear_password_allowed =
      !upstream.by_dns() && config::is_loopback_host(upstream.host) && upstream.settings->proxy.empty();
  target.mx = upstream.mx;
  target.srv = upstream.services;
  target.size_limit = upstream.limits.message_size.value_or(Bytes{0}).count;
  target.login = choice.login;
  if (const std::string& proxy = upstream.settings->proxy; !proxy.empty())
    target.proxy = proxy::parse_proxy(proxy).value();
  target.lmtp = upstream.settings->protocol == config::Protocol::lmtp;
  target.pipelining = upstream.pipelining;
  target.blames_password = [provider = upstream.provider](const smtp::Reply& reply) {
    return settle::judge(smtp::Stage::auth, reply, provider).reply_class == smtp::ReplyClass::auth;
  };
  return target;
}

namespace {

// One lane has one: a choice, or of a choice one sender.
std::string key_of(const route::Choice& choice, std::string_view routing_sender) {
  if (!choice.is_of_sender()) return choice.id;
  return fmt::format("{}\t{}", choice.id, mail::lookup_key(routing_sender));
}

constexpr std::string_view key_of(bool next) {
  return next ? "next_password" : "password";
}

// A program, or a disk that may be another machine's.
bool waits_for_others(const route::Choice& choice) {
  const auto is_outside = [](const config::SecretSource* source) {
    using enum config::SecretSource::Kind;
    return source && (source->kind == command || source->kind == file);
  };
  return is_outside(choice.password) || is_outside(choice.next_password);
}

}  // namespace

// On a helper thread.
Fetched read_sources(const route::Choice& choice) {
  Fetched fetched;
  fetched.credential.username = choice.username;
  for (const bool next : {false, true}) {
    const config::SecretSource* const source = next ? choice.next_password : choice.password;
    if (!source) continue;
    Result<Secret> secret = source->read();
    if (secret)
      fetched.credential.passwords.push_back({std::move(*secret), next});
    else
      fetched.failures.push_back({next, secret.error()});
  }
  return fetched;
}

Error no_credential(const Fetched& fetched) {
  const std::vector<Fetched::Failure>& failures = fetched.failures;
  if (failures.size() == 1) return Error{failures[0].reason};
  return Error{fmt::format("password: {}; next_password: {}", failures[0].reason, failures[1].reason)};
}

namespace {

// A message's id tells.
WallTime taken_at(std::string_view id) {
  const Result<queue::MessageId> known = queue::parse_message_id(id);
  return WallTime(std::chrono::microseconds(known ? known->value : 0));
}

// Why the upstream of a choice does not take a message; null `offer`: not known what it offers.
std::optional<smtp::Reply> refusal_of(const route::Choice& choice, const smtp::Capabilities* offer,
                                      const mail::Envelope& envelope, std::uint64_t size) {
  const std::uint64_t announced = offer ? offer->size_limit : 0;
  for (const std::uint64_t limit : {choice.upstream->limits.message_size.value_or(Bytes{0}).count, announced})
    if (limit != 0 && size > limit)
      return smtp::Reply{
          552, {5, 3, 4}, fmt::format("{} octets are more than any upstream of this sender takes", size)};
  const std::optional<smtp::Lack> lack = offer ? smtp::find_lack(envelope, *offer) : std::nullopt;
  if (!lack) return std::nullopt;
  return smtp::Reply{
      lack->code, lack->enhanced,
      fmt::format("The message needs {}, which no upstream of this sender offers", lack->extension)};
}

}  // namespace

void Lanes::use(std::shared_ptr<const route::Router> router) {
  router_ = std::move(router);
  for (const route::Upstream& upstream : router_->upstreams()) {
    std::shared_ptr<SiteEntry>& site = sites_[upstream.name];
    const bool is_new = !site;
    if (is_new) site = std::make_shared<SiteEntry>(loop_);
    site->use(upstream);
    if (is_new) site_book_.recall(*site);
    site->probe();  // what was changed may be the cure
  }
  // What went past a lane before tells no more of it; and it must not knock as it was configured then.
  for (auto& [id, entry] : entries_) entry->configured = entry->up_to_date = entry->passed_over = false;
  std::set<std::string_view> of_senders;
  for (const std::vector<route::Choice>& choices : router_->choices())
    for (const route::Choice& choice : choices)
      if (choice.is_of_sender())
        of_senders.insert(choice.id);
      else if (const auto found = entries_.find(choice.id); found != entries_.end())
        found->second->configured = true;
  if (of_senders.empty()) return;
  for (auto& [key, entry] : entries_)
    if (entry->of_sender) entry->configured = of_senders.contains(entry->id);
}

void Lanes::recall_sites() {
  for (const auto& [upstream, site] : sites_) site_book_.recall(*site);
}

LaneEntry& Lanes::lane_for(const route::Choice& choice, std::string_view routing_sender) {
  std::string key = key_of(choice, routing_sender);
  std::unique_ptr<LaneEntry>& entry = entries_[key];
  // Choices of one id differ in their rule alone. After a reload, the transport maker keeps the old one
  // alive.
  if (entry && entry->up_to_date) return *entry;
  const route::Upstream& upstream = *choice.upstream;
  const std::string username(route::user_of(choice, routing_sender));
  const std::shared_ptr<send::Allowance> quota = allowance_of(book_, upstream, username, loop_.wall_now());
  const send::LaneLimits limits = lane_limits(upstream.limits);
  if (!entry) {
    entry = std::make_unique<LaneEntry>(loop_, desk_, limits, sites_.at(upstream.name), quota);
    entry->number = ++last_number_;
    by_number_.emplace(entry->number, entry.get());
  }
  entry->up_to_date = true;
  entry->key = std::move(key);
  entry->id = choice.id;
  entry->upstream = upstream.name;
  entry->of_sender = choice.is_of_sender();
  entry->username = username;
  entry->grant = choice.oauth2 ? route::grant_text(*choice.oauth2) : "";
  entry->provider = upstream.provider;
  entry->retry_next_on = upstream.retry_next_on;
  entry->next_password = false;
  entry->unread.clear();
  entry->use(limits, transport_maker(choice, *entry));
  entry->probe();  // what was changed may be the cure
  return *entry;
}

void Lanes::remove(const LaneEntry& lane) {
  const std::string key = lane.key;
  by_number_.erase(lane.number);
  entries_.erase(key);
}

send::Lane::MakeTransport Lanes::transport_maker(const route::Choice& choice, LaneEntry& entry) {
  // The router keeps alive what the choice points to, also after a reload.
  return [this, router = router_, &choice, &entry]() -> std::unique_ptr<send::Transport> {
    const std::optional<std::string>& sandbox = choice.upstream->sandbox_directory;
    if (sandbox) return std::make_unique<send::Sandbox>(loop_, workers_, *sandbox, choice.username);
    if (const auto& maildir = choice.upstream->settings->maildir)
      return std::make_unique<send::Maildir>(
          loop_, mailbox_workers_, std::make_unique<disk::PosixDisk>(),
          send::Maildir::Options{maildir->directory, router->config().hostname, taken_at});
    return make_smtp(router, choice, entry);
  };
}

std::unique_ptr<send::Transport> Lanes::make_smtp(const std::shared_ptr<const route::Router>& router,
                                                  const route::Choice& choice, LaneEntry& entry) {
  auto fetch = [this, router, &choice, &entry] { return fetch_credential(router, choice, entry); };
  auto on_login = [this, &entry](const send::Password& password) { logged_in(entry, password.next); };
  const std::size_t endpoint = entry.site.take_endpoint(loop_.now());
  auto on_offer = [this, &entry, endpoint](const smtp::Capabilities& offered) {
    entry.site.greeted(endpoint, offered, loop_.now());
  };
  return std::make_unique<send::SmtpTransport>(
      loop_, workers_, dialer_, make_target(*choice.upstream, choice, endpoint, router->config().hostname),
      fetch, on_login, on_offer, &entry.site.contacts);
}

// A source that cannot be read is no trouble while the other one can. `router` keeps the choice alive.
async::Task<Result<send::Credential>> Lanes::fetch_credential(
    [[maybe_unused]] std::shared_ptr<const route::Router> router, const route::Choice& choice,
    LaneEntry& entry) {
  if (choice.oauth2) {
    send::Credential credential{entry.username, {}};
    credential.tokens = &tokens_of_(choice);
    co_return credential;
  }
  Fetched fetched;
  const auto read = [&choice] { return read_sources(choice); };
  if (waits_for_others(choice))
    fetched = co_await secret_workers_.run(read);
  else
    fetched = read();
  std::vector<send::Password>& passwords = fetched.credential.passwords;
  if (passwords.empty() && !fetched.failures.empty()) co_return no_credential(fetched);
  if (fetched.failures.empty())
    entry.unread.clear();
  else
    note_unread(entry, key_of(fetched.failures[0].next), fetched.failures[0].reason);
  if (passwords.empty()) passwords.emplace_back();  // EXTERNAL needs none
  if (entry.next_password && passwords.size() == 2) std::swap(passwords[0], passwords[1]);
  co_return std::move(fetched.credential);
}

// Once, and again when it has changed: each connection reads the sources.
void Lanes::note_unread(LaneEntry& entry, std::string_view key, const std::string& reason) {
  std::string unread = fmt::format("{}: {}", key, reason);
  if (entry.unread == unread) return;
  entry.unread = std::move(unread);
  tell::password_unreadable(log_, {entry.upstream, entry.username}, key, reason);
}

// Which password works is remembered: the other one would be refused at each connection.
void Lanes::logged_in(LaneEntry& entry, bool with_next_password) {
  if (entry.next_password == with_next_password) return;
  entry.next_password = with_next_password;
  const std::string_view other = key_of(!with_next_password);
  const bool unread = entry.unread.starts_with(fmt::format("{}:", other));
  tell::password_changed(log_, {entry.upstream, entry.username}, key_of(with_next_password), other, unread);
}

const smtp::Capabilities* Lanes::offer_of(const route::Choice& choice) const {
  const auto found = sites_.find(choice.upstream->name);
  return found == sites_.end() ? nullptr : found->second->offer(loop_.now());
}

std::optional<smtp::Reply> Lanes::refusal(std::span<const route::Choice> choices,
                                          const mail::Envelope& envelope, std::uint64_t size) const {
  std::optional<smtp::Reply> first;
  for (const route::Choice& choice : choices) {
    std::optional<smtp::Reply> refusal = refusal_of(choice, offer_of(choice), envelope, size);
    if (!refusal) return std::nullopt;
    if (!first) first = std::move(refusal);
  }
  return first;
}

void Lanes::for_each(const std::function<void(LaneEntry&)>& visit) {
  for (const auto& [number, entry] : by_number_) visit(*entry);
}

void Lanes::for_each(const std::function<void(const LaneEntry&)>& visit) const {
  for (const auto& [number, entry] : by_number_) visit(*entry);
}

std::uint64_t Lanes::for_some(std::uint64_t behind, std::size_t count,
                              const std::function<void(const LaneEntry&)>& visit) const {
  auto next = by_number_.upper_bound(behind);
  std::uint64_t last = behind;
  for (std::size_t i = 0; i < count && next != by_number_.end(); ++i, ++next) {
    visit(*next->second);
    last = next->first;
  }
  return next == by_number_.end() ? 0 : last;
}

}  // namespace relayd
