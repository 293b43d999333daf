#include <algorithm>
#include <memory>
#include <vector>

#include "fuzz/deaf_stream.hpp"
#include "fuzz/targets.hpp"
#include "send/client_fixture.hpp"
#include "send/smtp_transport.hpp"

namespace relayd::fuzz {

namespace {

constexpr std::string_view content = "Subject: x\r\n\r\nbody\r\n";

struct Dialer final : async::Dialer {
  Dialer(std::string_view input, std::size_t piece, DeafStream::Heard& heard)
      : stream(std::make_unique<DeafStream>(input, piece, heard)) {}
  async::Task<std::unique_ptr<async::Stream>> dial(const std::string&, std::uint16_t, const async::TlsPolicy&,
                                                   Deadline, std::stop_token) override {
    if (!stream) throw async::IoError(async::IoFault::refused, "nobody listens any more");
    co_return std::move(stream);
  }
  std::unique_ptr<async::Stream> stream;
};

struct Next final : send::Follow {
  async::Task<send::Delivery*> next() override { co_return delivery; }
  send::Delivery* delivery = nullptr;
};

struct Outcome {
  DeafStream::Heard heard;
  std::vector<std::string> events;
};

void note(const send::Report& report, const DeafStream::Heard& heard, std::vector<std::string>& events) {
  std::vector<std::uint32_t> recipients;
  for (const send::RecipientEvent& entry : report.recipients) {
    recipients.push_back(entry.recipient);
    events.push_back(test::shown(entry.event));
    const bool delivered = entry.event.stage == smtp::Stage::final_dot && !entry.event.trouble;
    demand(!delivered || heard.text.find("body\r\n.\r\n") != std::string::npos,
           "nothing is taken before its end");
  }
  std::ranges::sort(recipients);
  demand(recipients == std::vector<std::uint32_t>{0, 1}, "every recipient has one event");
}

async::Task<Result<send::Credential>> two_passwords() {
  co_return send::Credential{"ann", {{Secret("secret")}, {Secret("old secret"), true}}};
}

async::Task<void> talk(send::SmtpTransport& transport, Outcome& outcome) {
  std::optional<send::Event> refused = co_await transport.open();
  if (refused) {
    outcome.events.push_back(test::shown(*refused));
    co_return;
  }
  const mail::Envelope envelope =
      test::make_envelope("ann@example.com", {"bob@example.org", "eve@example.org"});
  test::FakeDelivery first(envelope, std::string(content)), second(envelope, std::string(content));
  Next follow;
  follow.delivery = &second;
  const send::Report report = co_await transport.send(first, follow);
  note(report, outcome.heard, outcome.events);
  if (transport.usable()) {
    follow.delivery = nullptr;
    const send::Report last = co_await transport.send(second, follow);
    note(last, outcome.heard, outcome.events);
  }
  co_await transport.close();
}

// The first octet says how the upstream is set up.
Outcome run(std::string_view input, std::size_t piece) {
  const auto setup = static_cast<unsigned char>(input.front());
  Outcome outcome;
  test::ManualLoop loop;
  async::Workers workers(loop, 1);
  Dialer dialer(input.substr(1), piece, outcome.heard);
  send::Target target;
  target.tls_mode = setup & 1 ? send::TlsMode::starttls : send::TlsMode::none;
  target.login = setup & 2;
  target.pipelining = setup & 4 ? send::Pipelining::off : send::Pipelining::ahead;
  target.mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login};
  send::SmtpTransport transport(loop, workers, dialer, target, two_passwords);
  test::drive(loop, talk(transport, outcome));
  return outcome;
}

}  // namespace

void transport(std::string_view input) {
  if (input.empty()) return;
  const Outcome lines = run(input, input.size());
  const Outcome pieces = run(input, 1 + cut_of(input));
  demand(lines.events == pieces.events && lines.heard.text == pieces.heard.text, "the cut does not matter");
  const std::string_view clear = std::string_view(lines.heard.text).substr(0, lines.heard.clear);
  for (const std::string_view secret : {"AGFubgBzZWNyZXQ=", "c2VjcmV0"})
    demand(clear.find(secret) == std::string_view::npos, "no password goes out in the clear");
}

}  // namespace relayd::fuzz
