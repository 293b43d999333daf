// Lanes: one for each upstream, credential and user in use, with what its connections are made from.
//
// Owned by the dispatcher. Turns a route's choice into a lane: limits, site, quota, and the transports it
// opens. Sites are never removed, and of lanes only those of single senders: a reload that names one no more
// leaves it idle.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "relay/quota_book.hpp"
#include "relay/setup.hpp"
#include "relay/site_book.hpp"
#include "send/lane.hpp"
#include "send/login.hpp"
#include "send/smtp_transport.hpp"
#include "settle/verdict.hpp"
#include "shared/async/dialer.hpp"
#include "shared/async/workers.hpp"
#include "shared/mail/envelope.hpp"
#include "shared/smtp/capabilities.hpp"
#include "shared/telemetry/log.hpp"

namespace relayd {

struct RouteLine;

// What a connection to an endpoint of the upstream is made from.
send::Target make_target(const route::Upstream& upstream, const route::Choice& choice, std::size_t endpoint,
                         const std::string& hostname);

// What came of an account's sources: a credential, as long as one of them can be read.
struct Fetched {
  send::Credential credential;
  struct Failure {
    bool next;
    std::string reason;
  };
  std::vector<Failure> failures;
};
// Blocks: files, and commands for ten seconds each.
Fetched read_sources(const route::Choice& choice);
// Of sources of which none could be read.
Error no_credential(const Fetched& fetched);

// A lane, how its next connection will be made, what waits for it, and what the operator wants to know of it.
struct LaneEntry final : send::Lane {
  LaneEntry(async::Loop& loop, send::Desk& desk, const send::LaneLimits& limits,
            const std::shared_ptr<SiteEntry>& of, std::shared_ptr<send::Allowance> quota)
      : Lane(loop, desk, limits, of, std::move(quota)), site(*of) {}

  SiteEntry& site;
  std::uint64_t number = 0;  // in the order in which lanes are made; never used twice
  std::string id;            // route::Choice::id; all lanes of senders have that of their choice
  std::string key;           // among the lanes
  bool of_sender = false;    // the login is for one sender, of any number
  bool up_to_date = false;   // the rest is what the present router says
  std::string upstream;
  std::string username;
  std::string grant;  // how it gets its access tokens, for people; empty: it has none
  std::string provider;
  smtp::ReplyClasses retry_next_on;
  bool next_password = false;  // is the one that works
  std::string unread;          // "password: why it cannot be read", as it was told; empty: none
  bool configured = true;      // the present configuration leads here

  std::list<RouteLine*> lines;     // whose messages it takes now; see Lines
  std::vector<RouteLine*> routes;  // the lines of all routes that lead here
  SteadyTime used_at{};            // mail came for it last
  bool passed_over = false;        // mail went another way, past it, since it was last tried

  unsigned ends = 0;  // connections in a row that ended on the way and delivered nothing
  PauseReason pause_reason;
  WallTime stopped_at{};  // by the operator
  std::string last_reply;
  WallTime last_reply_at{};
};

class Lanes {
 public:
  // Where the access tokens of a choice that has `oauth2` come from. They outlive the lanes.
  using TokensOf = std::function<send::Tokens&(const route::Choice& choice)>;

  Lanes(async::Loop& loop, async::Workers& workers, telemetry::Log& log, async::Dialer& dialer,
        QuotaBook& book, SiteBook& site_book, send::Desk& desk)
      : loop_(loop),
        workers_(workers),
        log_(log),
        dialer_(dialer),
        book_(book),
        site_book_(site_book),
        desk_(desk),
        mailbox_workers_(loop, mailbox_threads),
        secret_workers_(loop, secret_threads) {}

  // Before the first login with a token.
  void use(TokensOf tokens_of) { tokens_of_ = std::move(tokens_of); }

  // Tells the sites what was known of them in an earlier process, once the book was read.
  void recall_sites();
  // The router that choices come from, from now on.
  void use(std::shared_ptr<const route::Router> router);

  const route::Router& router() const { return *router_; }
  std::shared_ptr<const route::Router> shared_router() const { return router_; }

  // Of an upstream of the present router.
  const SiteEntry& site_of(const route::Upstream& upstream) const { return *sites_.at(upstream.name); }
  // The lane of a choice of the present router for mail that is routed by this sender, made when it is not
  // there.
  LaneEntry& lane_for(const route::Choice& choice, std::string_view routing_sender);
  // One of a sender, without connections, that nobody points to any more.
  void remove(const LaneEntry& lane);

  // Why none of these upstreams takes such a message, by its configuration and by what it offered lately.
  // Nothing: one takes it, or may.
  std::optional<smtp::Reply> refusal(std::span<const route::Choice> choices, const mail::Envelope& envelope,
                                     std::uint64_t size) const;

  std::size_t size() const { return by_number_.size(); }
  // In the order in which they were made.
  void for_each(const std::function<void(LaneEntry&)>& visit);
  void for_each(const std::function<void(const LaneEntry&)>& visit) const;
  // A part of such a walk: so many of them, behind the one of this number (0: from the first). Returns the
  // number of the last, for the next part; 0: it was the last of all. Lanes that are made between two parts
  // come last, those that go are not met any more, and none is met twice.
  std::uint64_t for_some(std::uint64_t behind, std::size_t count,
                         const std::function<void(const LaneEntry&)>& visit) const;

 private:
  send::Lane::MakeTransport transport_maker(const route::Choice& choice, LaneEntry& entry);
  std::unique_ptr<send::Transport> make_smtp(const std::shared_ptr<const route::Router>& router,
                                             const route::Choice& choice, LaneEntry& entry);
  const smtp::Capabilities* offer_of(const route::Choice& choice) const;
  async::Task<Result<send::Credential>> fetch_credential(std::shared_ptr<const route::Router> router,
                                                         const route::Choice& choice, LaneEntry& entry);
  void note_unread(LaneEntry& entry, std::string_view key, const std::string& reason);
  void logged_in(LaneEntry& entry, bool with_next_password);

  // Commands that print a secret may take ten seconds each, and a disk that is another machine's for ever:
  // none waits for so few, and nothing else for them.
  static constexpr unsigned secret_threads = 16;
  static constexpr unsigned mailbox_threads = 8;

  async::Loop& loop_;
  async::Workers& workers_;
  telemetry::Log& log_;
  async::Dialer& dialer_;
  QuotaBook& book_;
  SiteBook& site_book_;
  send::Desk& desk_;
  std::shared_ptr<const route::Router> router_;
  std::map<std::string, std::shared_ptr<SiteEntry>, std::less<>> sites_;
  TokensOf tokens_of_;
  std::unordered_map<std::string, std::unique_ptr<LaneEntry>> entries_;  // by key_of()
  std::map<std::uint64_t, LaneEntry*> by_number_;
  std::uint64_t last_number_ = 0;
  // Where others keep us waiting nobody else does. The last: they go before those who wait for them.
  async::Workers mailbox_workers_;
  async::Workers secret_workers_;
};

}  // namespace relayd
