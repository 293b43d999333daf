#include "send/client_fixture.hpp"

#include <algorithm>

namespace relayd::test {

using async::Task;
using send::Event;

namespace {

std::string_view name(smtp::Trouble trouble) {
  constexpr std::string_view names[] = {"unreachable", "broken",      "cancelled",    "malformed",
                                        "tls",         "no_starttls", "no_mechanism", "no_password",
                                        "no_token",    "too_large",   "no_extension"};
  return names[static_cast<std::size_t>(trouble)];
}

}  // namespace

std::string shown(const Event& event) {
  std::string text(smtp::to_string(event.stage));
  text += ' ';
  return text += event.trouble ? std::string(name(*event.trouble)) : smtp::one_line(event.reply);
}

mail::Envelope make_envelope(const std::string& sender, const std::vector<std::string>& recipients) {
  mail::Envelope envelope;
  envelope.sender = envelope.routing_sender = sender;
  for (const std::string& recipient : recipients) envelope.recipients.push_back({recipient, "", ""});
  return envelope;
}

ClientRun::ClientRun(Script script) : peer(loop, std::move(script)) {
  target.host = "smtp.example.net";
  target.port = 587;
  target.tls_mode = send::TlsMode::none;
  target.hostname = "relay.example.com";
  target.mechanisms = {sasl::Mechanism::scram_sha_256, sasl::Mechanism::plain, sasl::Mechanism::login};
  peer.on_call = [this](const std::string& what) {
    if (what == "wake") transport->wake();
    if (what == "abort") transport->abort();
  };
}

void ClientRun::add_mail(mail::Envelope envelope, std::string content) {
  actions_.push_back({std::make_unique<FakeDelivery>(std::move(envelope), std::move(content)), {}});
}

void ClientRun::run() {
  transport =
      std::make_unique<send::SmtpTransport>(loop, workers, dialer, target, [this] { return fetch(); });
  drive(loop, talk());
}

void ClientRun::log_in_with(const std::string& user, std::vector<std::string> texts) {
  target.login = true;
  target.mechanisms = {sasl::Mechanism::xoauth2, sasl::Mechanism::oauthbearer};
  tokens.texts = std::move(texts);
  send::Credential with_tokens{user, {}};
  with_tokens.tokens = &tokens;
  credential = std::move(with_tokens);
}

Task<Result<send::Credential>> ClientRun::fetch() {
  co_return credential;
}

Task<void> ClientRun::talk() {
  refused = co_await transport->open();
  if (refused) {
    events.push_back("open: " + shown(*refused));
    co_return;
  }
  for (action_ = 0; action_ < actions_.size(); ++action_) {
    const Action& action = actions_[action_];
    if (action.delivery) {
      co_await carry(*action.delivery);
    } else {
      const bool woken = co_await transport->idle(loop.now() + action.wait);
      events.emplace_back(woken ? "idle: woken" : "idle: over");
    }
    if (!transport->usable()) break;
  }
  co_await transport->close();
}

Task<send::Delivery*> ClientRun::next() {
  send::Delivery* following = nullptr;
  if (ahead && action_ + 1 < actions_.size()) following = actions_[action_ + 1].delivery.get();
  co_return following;
}

Task<void> ClientRun::carry(FakeDelivery& delivery) {
  Sent& entry = sent.emplace_back();
  entry.recipients = delivery.recipients().size();
  entry.first_write = peer.writes().size();
  delivery.mark = [this] { sent.back().writes_at_mark = peer.writes().size(); };
  entry.report = co_await transport->send(delivery, *this);
  entry.writes_at_end = peer.writes().size();
  entry.said_at_end = peer.said();
  for (const send::RecipientEvent& recipient : entry.report.recipients)
    entry.events.push_back(delivery.envelope().recipients.at(recipient.recipient).address + ": " +
                           shown(recipient.event));
  std::sort(entry.events.begin(), entry.events.end());
  events.insert(events.end(), entry.events.begin(), entry.events.end());
}

}  // namespace relayd::test
