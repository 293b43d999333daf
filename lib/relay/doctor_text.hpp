// DoctorWords: what a doctor's connections met, as findings.
//
// Used by Doctor alone. Pure: events and facts in, findings out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "route/router.hpp"
#include "send/hosts.hpp"
#include "send/smtp_transport.hpp"
#include "shared/async/stream.hpp"
#include "shared/oauth/token_facts.hpp"
#include "watch/finding.hpp"

namespace relayd {

// A connection to one address and port, without a login.
struct Knock {
  send::Host host;
  std::string address;               // its name where a proxy looks it up; a unix socket
  std::optional<smtp::Event> event;  // nothing: all went well up to EHLO
  send::Met met;
  bool in_time = true;

  std::string at() const;  // "192.0.2.1:587"
};

// What is known of a login, or of a sender in it.
struct LoginFacts {
  bool in_time = true;
  std::string user = {};                        // whom the login is for; empty: there is none
  std::optional<oauth::TokenFacts> token = {};  // what its access token says of itself
};

class DoctorWords {
 public:
  // Warned of so long before a certificate or a secret ends.
  static constexpr std::chrono::days soon{5};

  DoctorWords(const config::Config& config, const route::Upstream& upstream, Duration limit, WallTime now)
      : config_(config), upstream_(upstream), limit_(limit), now_(now) {}

  watch::Finding of(watch::Step step, watch::Health health) const;
  watch::Finding kept(const std::string& directory) const;
  watch::Finding unresolved(const std::string& host, const async::IoError& error) const;
  watch::Finding named(const std::vector<send::Host>& hosts) const;
  watch::Finding resolved(const std::string& host, const std::vector<std::string>& addresses) const;
  // What a connection met: a failure where no other one went well, else a warning.
  void add(const Knock& knock, const std::vector<Knock>& all, std::vector<watch::Finding>& findings) const;
  // `sender`: of MAIL; empty: it did not come so far.
  watch::Finding failed(const route::Choice& choice, const Knock& way, const smtp::Event& event,
                        const LoginFacts& login, const std::string& sender) const;
  watch::Finding no_password(const route::Choice& choice, const std::string& host) const;
  watch::Finding not_ours(const route::Choice& choice) const;
  watch::Finding logged_in(const route::Choice& choice, const std::string& user, bool with_next) const;
  watch::Finding sender_taken(const route::Choice& choice, const std::string& sender) const;
  watch::Finding no_sender(const route::Choice& choice) const;
  watch::Finding too_many(std::size_t accounts) const;

 private:
  watch::Finding of(const route::Choice& choice, watch::Step step, watch::Health health) const;
  watch::Finding failure(watch::Finding finding, const route::Choice* choice, const Knock& way,
                         const smtp::Event& event, const LoginFacts& login, const std::string& sender) const;
  std::string proxy() const;
  watch::Finding tls(const Knock& knock) const;
  watch::Finding offers(const Knock& knock) const;

  const config::Config& config_;
  const route::Upstream& upstream_;
  Duration limit_;
  WallTime now_;
};

// "in 41 days", "tomorrow"…: how long something lasts that ends then.
std::string lasts(WallTime until, WallTime now);

}  // namespace relayd
