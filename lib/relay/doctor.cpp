#include "relay/doctor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "relay/doctor_text.hpp"
#include "relay/lanes.hpp"
#include "send/hosts.hpp"
#include "send/smtp_transport.hpp"
#include "shared/async/scope.hpp"
#include "shared/mail/address.hpp"
#include "shared/oauth/token_facts.hpp"

namespace relayd {

using async::IoError;
using async::Task;
using watch::Finding;
using watch::Health;
using watch::Step;

namespace {

// An account at an upstream, and what it is to be tried as.
struct Patient {
  const route::Choice* choice;
  std::vector<std::string> senders;
};

bool is_address(const std::string& pattern) {
  const mail::Parts parts = mail::split(pattern);
  return !parts.local_part.empty() && !parts.domain.empty() && pattern.find('*') == std::string::npos;
}

class Patients {
 public:
  void add(const route::Choice& choice, const std::string& sender) {
    const auto [place, is_new] = by_id_.emplace(choice.id, list_.size());
    if (is_new) list_.push_back({&choice, {}});
    std::vector<std::string>& senders = list_[place->second].senders;
    const bool is_wanted = !sender.empty() && senders.size() < Doctor::most_senders;
    if (is_wanted && std::ranges::find(senders, sender) == senders.end()) senders.push_back(sender);
  }
  std::vector<Patient>& list() { return list_; }

 private:
  std::vector<Patient> list_;
  std::unordered_map<std::string_view, std::size_t> by_id_;  // the ids are the choices'
};

std::vector<Patient> patients_of(const route::Router& router, const route::Upstream& upstream,
                                 const DoctorOrder& order) {
  Patients patients;
  const auto is_wanted = [&](const route::Choice& choice) {
    return choice.upstream == &upstream && (order.account.empty() || choice.username == order.account);
  };
  if (!order.sender.empty()) {
    for (const route::Choice& choice : router.plain_route(order.sender).choices)
      if (is_wanted(choice)) patients.add(choice, order.sender);
    return std::move(patients.list());
  }
  const std::size_t by_recipient = router.config().recipients.size();
  for (std::size_t i = 0; i < router.rules().size(); ++i) {
    const std::string& match = router.rules()[i]->match;
    const bool names_sender = i >= by_recipient && is_address(match);
    for (const route::Choice& choice : router.choices()[i])
      if (is_wanted(choice)) patients.add(choice, names_sender ? match : std::string());
  }
  if (patients.list().empty() && is_wanted(router.own_account(upstream)))
    patients.add(router.own_account(upstream), {});
  for (Patient& patient : patients.list())
    if (patient.senders.empty() && is_address(patient.choice->username))
      patient.senders.push_back(patient.choice->username);
  return std::move(patients.list());
}

// One connection, given up where it takes too long.
struct Visit {
  Visit(const Doctor::Means& means, send::Target target, send::FetchCredential fetch, Duration limit,
        const std::stop_token& stop)
      : transport(means.loop, means.workers, means.dialer, std::move(target), std::move(fetch),
                  [this](const send::Password& password) { with_next = password.next; }),
        loop(means.loop),
        alarm(means.loop),
        on_stop(stop, [this] { transport.abort(); }) {
    allow(limit);
  }

  // From now on it has so long.
  void allow(Duration limit) {
    alarm.at(loop.now() + limit, [this] {
      in_time = false;
      transport.abort();
    });
  }

  bool with_next = false;  // the next password was taken
  bool in_time = true;
  send::SmtpTransport transport;
  async::Loop& loop;
  async::Timer alarm;
  std::stop_callback<std::function<void()>> on_stop;
};

// Hands tokens on, and remembers what the last one says of itself.
class ShownToken final : public send::Tokens {
 public:
  explicit ShownToken(send::Tokens* next) : next_(next) {}
  Task<Answer> token(std::string user, std::optional<std::uint64_t> refused) override {
    Answer answer = co_await next_->token(std::move(user), refused);
    if (answer.token) facts_ = oauth::facts_of(answer.token->text.reveal());
    co_return answer;
  }
  const std::optional<oauth::TokenFacts>& facts() const { return facts_; }

 private:
  send::Tokens* next_;
  std::optional<oauth::TokenFacts> facts_;
};

// One upstream, from its name to its accounts.
class Examination {
 public:
  Examination(const Doctor::Means& means, const route::Router& router, const route::Upstream& upstream,
              const DoctorOrder& order, std::stop_token stop)
      : means_(means),
        upstream_(upstream),
        order_(order),
        stop_(std::move(stop)),
        hostname_(router.config().hostname),
        patients_(patients_of(router, upstream, order)),
        words_(router.config(), upstream, order.limit, means.loop.wall_now()) {}

  bool wanted() const { return !patients_.empty(); }

  Task<void> run() {
    if (const std::string* const directory = upstream_.kept_in())
      co_return findings.push_back(words_.kept(*directory));
    co_await find_hosts();
    for (const send::Host& host : hosts_) co_await find_addresses(host);
    co_await knock_everywhere();
    for (const Knock& knock : knocks_) words_.add(knock, knocks_, findings);
    const auto is_open = [](const Knock& knock) { return !knock.event; };
    if (std::ranges::none_of(knocks_, is_open)) co_return;
    for (std::size_t i = 0; i < std::min(patients_.size(), Doctor::most_accounts); ++i) {
      if (silences_ == most_silences) co_return findings.push_back(words_.too_many(patients_.size() - i));
      const Patient& patient = patients_[i];
      if (const Knock* const way = way_for(*patient.choice))
        co_await visit(patient, *way);
      else
        findings.push_back(words_.no_password(*patient.choice, hosts_.front().name));
    }
    if (patients_.size() > Doctor::most_accounts)
      findings.push_back(words_.too_many(patients_.size() - Doctor::most_accounts));
  }

  std::vector<Finding> findings;

 private:
  // After so many in a row that upstream is left alone.
  static constexpr std::size_t most_silences = 2;

  // The first that works; null: DNS named them all, and none may be given a password.
  const Knock* way_for(const route::Choice& choice) const {
    for (const Knock& knock : knocks_)
      if (!knock.event && (knock.host.assured || !choice.login)) return &knock;
    return nullptr;
  }

  // Those of each port; where DNS names them, as one connection would try them.
  Task<void> find_hosts() {
    for (std::size_t i = 0; i < upstream_.endpoints.size(); ++i) {
      send::Target target = make_target(upstream_, *patients_.front().choice, i, hostname_);
      target.login = false;  // who may be given a password is asked of each account
      send::Hosts found(means_.dialer, target);
      try {
        co_await found.find(means_.loop.now() + order_.limit, stop_);
      } catch (const IoError& error) {
        findings.push_back(words_.unresolved(upstream_.host, error));
        continue;
      }
      if (upstream_.by_dns()) findings.push_back(words_.named(found.all()));
      hosts_.insert(hosts_.end(), found.all().begin(), found.all().end());
    }
  }

  // A proxy looks the name up by itself.
  Task<void> find_addresses(const send::Host& host) {
    if (addresses_.contains(host.name)) co_return;
    std::vector<std::string>& addresses = addresses_[host.name];
    const bool is_name = upstream_.settings->proxy.empty() && upstream_.settings->unix_path.empty();
    if (!is_name) co_return addresses.push_back(host.name);
    try {
      Task<std::vector<std::string>> resolving =
          means_.resolve(host.name, means_.loop.now() + order_.limit, stop_);
      addresses = co_await resolving;
    } catch (const IoError& error) {
      co_return findings.push_back(words_.unresolved(host.name, error));
    }
    if (addresses.size() != 1 || addresses.front() != host.name)
      findings.push_back(words_.resolved(host.name, addresses));
    addresses.resize(std::min(addresses.size(), Doctor::most_addresses));
  }

  Task<void> knock_everywhere() {
    for (const send::Host& host : hosts_)
      for (const std::string& address : addresses_[host.name])
        knocks_.push_back({host, address, {}, {}, true});
    async::Scope scope;
    for (Knock& knock : knocks_) scope.spawn(go_to(knock));
    co_await scope.drained();
  }

  send::Target target_of(const route::Choice& choice, const Knock& knock) const {
    send::Target target = make_target(upstream_, choice, 0, hostname_);
    target.mx = false;
    target.srv.clear();
    target.host = knock.address;
    target.port = knock.host.port;
    target.tls_mode = knock.host.tls_mode;
    target.tls.name = knock.host.tls.name;
    return target;
  }

  // As far as EHLO.
  Task<void> go_to(Knock& knock) {
    send::Target target = target_of(*patients_.front().choice, knock);
    target.login = false;
    Visit visit(means_, std::move(target), {}, order_.limit, stop_);
    knock.event = co_await visit.transport.open();
    knock.met = visit.transport.met();
    knock.in_time = visit.in_time;
    co_await visit.transport.close();
  }

  Task<Result<send::Credential>> fetch(const route::Choice& choice) const {
    const auto read = [&choice] { return read_sources(choice); };
    Fetched fetched = co_await means_.workers.run(read);
    if (fetched.credential.passwords.empty()) {
      if (!fetched.failures.empty()) co_return no_credential(fetched);
      fetched.credential.passwords.emplace_back();  // EXTERNAL needs none
    }
    co_return std::move(fetched.credential);
  }

  Task<void> visit(const Patient& patient, const Knock& way) {
    const route::Choice& choice = *patient.choice;
    send::Tokens* const tokens = choice.oauth2 && means_.tokens_of ? means_.tokens_of(choice) : nullptr;
    if (choice.oauth2 && !tokens) co_return findings.push_back(words_.not_ours(choice));
    if (!choice.is_of_sender()) co_return co_await log_in(choice, tokens, patient.senders, way);
    if (patient.senders.empty()) findings.push_back(words_.no_sender(choice));
    for (const std::string& sender : patient.senders) {
      const std::vector<std::string> only{sender};
      co_await log_in(choice, tokens, only, way);
    }
  }

  // Logs in, and asks for each sender. The login is for the first where it is the sender's.
  Task<void> log_in(const route::Choice& choice, send::Tokens* tokens,
                    const std::vector<std::string>& senders, const Knock& way) {
    ShownToken shown(tokens);
    const std::string user(route::user_of(choice, senders.empty() ? std::string_view() : senders.front()));
    const auto fetch_it = [&]() -> Task<Result<send::Credential>> {
      if (!tokens) return fetch(choice);
      return with_tokens(user, shown);
    };
    Visit visit(means_, target_of(choice, way), fetch_it, order_.limit, stop_);
    const auto failed = [&](const send::Event& event, const std::string& sender) {
      const LoginFacts login{visit.in_time, user, shown.facts()};
      findings.push_back(words_.failed(choice, way, event, login, sender));
    };
    const std::optional<send::Event> failure = co_await visit.transport.open();
    silences_ = visit.in_time ? 0 : silences_ + 1;
    if (failure) co_return failed(*failure, {});
    if (choice.login) findings.push_back(words_.logged_in(choice, user, visit.with_next));
    if (senders.empty()) findings.push_back(words_.no_sender(choice));
    for (const std::string& sender : senders) {
      if (!visit.transport.usable() || !visit.in_time) break;
      visit.allow(order_.limit);
      const std::optional<send::Event> refused = co_await visit.transport.try_sender(sender);
      if (refused)
        failed(*refused, sender);
      else
        findings.push_back(words_.sender_taken(choice, sender));
    }
    co_await visit.transport.close();
  }

  static Task<Result<send::Credential>> with_tokens(const std::string& user, send::Tokens& tokens) {
    send::Credential credential{user, {}};
    credential.tokens = &tokens;
    co_return credential;
  }

  const Doctor::Means& means_;
  const route::Upstream& upstream_;
  const DoctorOrder& order_;
  std::stop_token stop_;
  const std::string& hostname_;
  std::vector<Patient> patients_;
  DoctorWords words_;
  std::vector<send::Host> hosts_;
  std::map<std::string, std::vector<std::string>> addresses_;  // by host
  std::vector<Knock> knocks_;
  std::size_t silences_ = 0;  // logins in a row that took too long
};

Task<void> run_one_after_another(std::vector<std::unique_ptr<Examination>>& all, std::size_t& next) {
  while (next < all.size()) {
    Examination& one = *all[next++];
    co_await one.run();
  }
}

}  // namespace

Task<std::vector<Finding>> Doctor::examine(std::shared_ptr<const route::Router> router, DoctorOrder order) {
  std::vector<std::unique_ptr<Examination>> all;
  for (const route::Upstream& upstream : router->upstreams()) {
    const std::vector<std::string>& names = order.upstreams;
    if (!names.empty() && std::ranges::find(names, upstream.name) == names.end()) continue;
    auto one = std::make_unique<Examination>(means_, *router, upstream, order, stop_.get_token());
    if (one->wanted()) all.push_back(std::move(one));
  }
  async::Scope scope;
  std::size_t next = 0;
  for (std::size_t i = 0; i < upstreams_at_a_time; ++i) scope.spawn(run_one_after_another(all, next));
  co_await scope.drained();
  std::vector<Finding> findings;
  for (const auto& one : all) findings.insert(findings.end(), one->findings.begin(), one->findings.end());
  co_return findings;
}

}  // namespace relayd
