#include "relay/doctor_text.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

#include "relay/doctor.hpp"
#include "settle/verdict.hpp"
#include "shared/base/counted.hpp"
#include "shared/net/tls.hpp"
#include "shared/proxy/proxy.hpp"
#include "watch/advice.hpp"

namespace relayd {

using watch::Finding;
using watch::Health;
using watch::Step;

namespace {

std::string place(std::string_view file, config::Location where) {
  if (where.line == 0) return std::string(file);
  return fmt::format("{}:{}", file, where.line);
}

std::string list_of(const smtp::Capabilities& offered) {
  const std::vector<std::string> lines = to_lines(offered);
  return lines.empty() ? "nothing" : fmt::format("{}", fmt::join(lines, ", "));
}

bool is_v6(const std::string& address) {
  return address.find(':') != std::string::npos;
}

// Why mail still goes although a connection failed.
std::string meanwhile(const Knock& knock, const std::vector<Knock>& all) {
  for (const Knock& other : all)
    if (!other.event && other.host.name == knock.host.name && other.host.port == knock.host.port &&
        is_v6(knock.address) && !is_v6(other.address))
      return fmt::format(
          "IPv6 does not work there, and mail goes by IPv4 ({}), each time after a moment: mend "
          "the route of this host, or have its IPv6 address taken away",
          other.address);
  for (const Knock& other : all)
    if (!other.event) return fmt::format("Mail goes by {} meanwhile", other.at());
  return {};
}

}  // namespace

std::string lasts(WallTime until, WallTime now) {
  const auto days = std::chrono::floor<std::chrono::days>(until - now).count();
  const std::string date = fmt::format("{:%Y-%m-%d}", std::chrono::floor<std::chrono::seconds>(until));
  if (until <= now) return fmt::format("ended on {}", date);
  return fmt::format("ends on {}, in {} {}", date, days, days == 1 ? "day" : "days");
}

std::string Knock::at() const {
  if (host.port == 0) return address;
  return proxy::endpoint(address, host.port);
}

Finding DoctorWords::of(Step step, Health health) const {
  Finding finding;
  finding.health = health;
  finding.step = step;
  finding.upstream = upstream_.name;
  if (health >= Health::warning) finding.where = place(config_.file, upstream_.settings->where);
  return finding;
}

Finding DoctorWords::of(const route::Choice& choice, Step step, Health health) const {
  Finding finding = of(step, health);
  finding.account = account_of(choice);
  if (health >= Health::warning && choice.where.line != 0)
    finding.where = place(choice.file.empty() ? std::string_view(config_.file) : choice.file, choice.where);
  return finding;
}

Finding DoctorWords::kept(const std::string& directory) const {
  Finding finding = of(Step::configuration, Health::note);
  finding.at = directory;
  finding.text = upstream_.sandbox_directory ? "a sandbox: messages are kept there and sent nowhere"
                                             : "a Maildir: messages are delivered there";
  return finding;
}

// If no host may be given the password, that is not a failure of DNS, and the text says what to do.
Finding DoctorWords::unresolved(const std::string& host, const async::IoError& error) const {
  Finding finding = of(Step::resolve, Health::failed);
  finding.at = host;
  finding.text = error.what();
  if (error.fault() != async::IoFault::tls)
    finding.advice = "Correct `host`, or mend the DNS of this machine (/etc/resolv.conf)";
  finding.reply_class = smtp::to_string(smtp::ReplyClass::connect);
  return finding;
}

Finding DoctorWords::named(const std::vector<send::Host>& hosts) const {
  Finding finding = of(Step::resolve, Health::ok);
  finding.at = upstream_.host;
  for (const send::Host& host : hosts)
    finding.text += fmt::format("{}{}", finding.text.empty() ? "DNS names " : ", ", host.text());
  return finding;
}

Finding DoctorWords::resolved(const std::string& host, const std::vector<std::string>& addresses) const {
  Finding finding = of(Step::resolve, Health::ok);
  finding.at = host;
  finding.text = fmt::format("{}", fmt::join(addresses, ", "));
  return finding;
}

void DoctorWords::add(const Knock& knock, const std::vector<Knock>& all,
                      std::vector<Finding>& findings) const {
  if (!knock.event) {
    Finding connected = of(Step::connect, Health::ok);
    connected.at = knock.at();
    connected.text = upstream_.settings->proxy.empty() ? "connected" : "connected, through " + proxy();
    findings.push_back(std::move(connected));
    if (upstream_.settings->unix_path.empty()) findings.push_back(tls(knock));
    findings.push_back(offers(knock));
    return;
  }
  const bool another = std::ranges::any_of(all, [](const Knock& other) { return !other.event; });
  Finding finding = of(watch::step_of(knock.event->stage), another ? Health::warning : Health::failed);
  finding.until = knock.met.tls.certificate_until;
  finding = failure(std::move(finding), nullptr, knock, *knock.event, {.in_time = knock.in_time}, {});
  if (another) {
    const std::string instead = meanwhile(knock, all);
    finding.advice = is_v6(knock.address) && instead.starts_with("IPv6")
                         ? instead
                         : fmt::format("{}{}{}", instead, finding.advice.empty() ? "" : ". ", finding.advice);
  }
  findings.push_back(std::move(finding));
}

Finding DoctorWords::tls(const Knock& knock) const {
  const async::TlsFacts& facts = knock.met.tls;
  Finding finding = of(Step::tls, Health::ok);
  finding.at = knock.at();
  finding.until = facts.certificate_until;
  if (facts.version.empty()) {
    finding.health = Health::note;
    finding.text = "none, as configured: mail and what it says can be read on the way";
    return finding;
  }
  finding.text = fmt::format("{}, the certificate ", facts.version);
  if (facts.verified)
    finding.text += fmt::format("fits {}", knock.host.tls.name);
  else
    finding.text += "was not verified";
  if (facts.verified && !upstream_.tls_options.pins.empty()) finding.text += " and its key the pin";
  if (facts.certificate_until) finding.text += " and " + lasts(*facts.certificate_until, now_);
  const bool ends = facts.certificate_until && *facts.certificate_until - now_ < soon;
  if (facts.verified && !ends) return finding;
  finding.health = Health::warning;
  finding.where = place(config_.file, upstream_.settings->where);
  finding.advice = facts.verified ? "Its operator has to renew it before then"
                                  : "Take `tls_options.verify: none` away: anybody on the way can read all";
  return finding;
}

Finding DoctorWords::offers(const Knock& knock) const {
  Finding finding = of(Step::ehlo, Health::ok);
  finding.at = knock.at();
  const std::vector<smtp::Capabilities>& offers = knock.met.offers;
  if (offers.size() > 1) finding.text = fmt::format("before TLS: {}; with TLS: ", list_of(offers.front()));
  if (!offers.empty()) finding.text += list_of(offers.back());
  return finding;
}

Finding DoctorWords::failed(const route::Choice& choice, const Knock& way, const smtp::Event& event,
                            const LoginFacts& login, const std::string& sender) const {
  const Finding finding = of(choice, watch::step_of(event.stage), Health::failed);
  return failure(finding, &choice, way, event, login, sender);
}

Finding DoctorWords::failure(Finding finding, const route::Choice* choice, const Knock& way,
                             const smtp::Event& event, const LoginFacts& login,
                             const std::string& sender) const {
  const smtp::ReplyClass reply_class = settle::judge(event, upstream_.provider).reply_class;
  const std::string& user = choice && choice->is_of_sender() ? login.user : sender;
  finding.at = user.empty() ? way.at() : user;
  finding.reply_class = smtp::to_string(reply_class);
  finding.text = event.trouble ? smtp::escape(event.text) : one_line(event.reply);
  if (!login.in_time) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(limit_).count();
    finding.text = event.stage == smtp::Stage::connect
                       ? fmt::format("no answer within {} s: the port looks blocked", seconds)
                       : fmt::format("no answer to {} within {} s", to_string(event.stage), seconds);
  }
  finding.advice = watch::advice_for({.event = event,
                                      .reply_class = reply_class,
                                      .in_time = login.in_time,
                                      .port = way.host.port,
                                      .tls = way.host.tls_mode,
                                      .account = login.user,
                                      .hint = upstream_.preset ? upstream_.preset->account.hint : "",
                                      .sender = sender,
                                      .proxy = proxy(),
                                      .oauth2 = choice ? choice->oauth2 : nullptr,
                                      .token = login.token ? &*login.token : nullptr});
  return finding;
}

// Without the password for it.
std::string DoctorWords::proxy() const {
  const std::string& proxy = upstream_.settings->proxy;
  return proxy.empty() ? "" : shown(proxy::parse_proxy(proxy).value());
}

Finding DoctorWords::no_password(const route::Choice& choice, const std::string& host) const {
  Finding finding = of(choice, Step::auth, Health::failed);
  finding.at = host;
  finding.text = send::why_no_password(host, upstream_.host);
  finding.reply_class = smtp::to_string(smtp::ReplyClass::tls);
  return finding;
}

Finding DoctorWords::not_ours(const route::Choice& choice) const {
  Finding finding = of(choice, Step::auth, Health::note);
  finding.text = "not tried: only the running relayd uses the sign-in; `relayd status` says whether it works";
  return finding;
}

Finding DoctorWords::logged_in(const route::Choice& choice, const std::string& user, bool with_next) const {
  Finding finding = of(choice, Step::auth, with_next ? Health::warning : Health::ok);
  if (choice.is_of_sender()) finding.at = user;
  finding.text = with_next ? "logged in with `next_password`; `password` is refused" : "logged in";
  if (with_next) finding.advice = "Make it the `password`";
  return finding;
}

Finding DoctorWords::sender_taken(const route::Choice& choice, const std::string& sender) const {
  Finding finding = of(choice, Step::sender, Health::ok);
  finding.at = sender;
  finding.text = "MAIL is taken";
  return finding;
}

Finding DoctorWords::no_sender(const route::Choice& choice) const {
  Finding finding = of(choice, Step::sender, Health::note);
  finding.text = "no rule names an address that it sends for: name one with --sender";
  return finding;
}

Finding DoctorWords::too_many(std::size_t accounts) const {
  Finding finding = of(Step::auth, Health::note);
  finding.text = fmt::format("not tried: {}; name one of their senders with --sender",
                             counted(accounts, "more account"));
  return finding;
}

std::vector<Ending> secrets_that_end(const config::Config& config) {
  std::vector<Ending> endings;
  const auto add = [&](const std::string& upstream, const std::optional<std::string>& account,
                       const std::optional<config::OAuth2>& oauth2, const std::string& file) {
    if (oauth2 && oauth2->secret_expires)
      endings.push_back({upstream, account.value_or(""), *oauth2->secret_expires, file, oauth2->where});
  };
  for (const config::Upstream& upstream : config.upstreams)
    add(upstream.name, upstream.username, upstream.oauth2, {});
  for (const auto* rules : {&config.recipients, &config.senders})
    for (const config::SenderRule& rule : *rules) {
      if (!rule.upstreams.empty()) add(rule.upstreams.front().name, rule.username, rule.oauth2, rule.file);
      for (const config::RuleUpstream& entry : rule.upstreams)
        add(entry.name, entry.username, entry.oauth2, rule.file);
    }
  return endings;
}

std::vector<Finding> endings(const config::Config& config, WallTime now) {
  std::vector<Finding> findings;
  const auto judge = [now](Finding& finding, WallTime until) {
    finding.until = until;
    finding.text += lasts(until, now);
    finding.health = until <= now                      ? Health::failed
                     : until - now < DoctorWords::soon ? Health::warning
                                                       : Health::ok;
    return finding.health != Health::ok;
  };
  for (const Ending& ending : secrets_that_end(config)) {
    Finding finding;
    finding.step = Step::secret;
    finding.upstream = ending.upstream;
    finding.account = ending.account;
    finding.text = "the client secret ";
    if (judge(finding, ending.until)) {
      finding.advice = "Make a new one at the provider, and write it and `secret_expires` anew";
      finding.where = place(ending.file.empty() ? config.file : ending.file, ending.where);
    }
    findings.push_back(std::move(finding));
  }
  const auto add = [&](std::string upstream, const std::string& file, config::Location where) {
    const std::optional<WallTime> until = net::certificate_until(file);
    if (!until) return;
    Finding finding;
    finding.step = Step::certificate;
    finding.upstream = std::move(upstream);
    finding.at = file;
    if (judge(finding, *until)) {
      finding.advice = "Renew it: relayd takes the new file by itself";
      finding.where = place(config.file, where);
    }
    findings.push_back(std::move(finding));
  };
  for (const config::Certificate& certificate : config.certificates)
    add({}, certificate.certificate, certificate.where);
  for (const config::Upstream& upstream : config.upstreams)
    if (const std::string& file = upstream.tls_options.client_certificate; !file.empty())
      add(upstream.name, file, upstream.where);
  return findings;
}

}  // namespace relayd
