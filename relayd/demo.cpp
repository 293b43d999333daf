// relayd demo: the whole path in one process. A relay and two sandbox providers on loopback, each of the
// three a Relay with a configuration that anybody could have written; three senders leave through three
// accounts.
#include <fmt/format.h>
#include <sysexits.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "folder.hpp"
#include "relay/relay.hpp"
#include "send/smtp_transport.hpp"
#include "shared/net/tls_authority.hpp"

namespace relayd::command {

namespace {

using async::Task;
using namespace std::chrono_literals;

struct Case {
  const char* sender;
  const char* rule;      // what must match
  const char* upstream;  // where it must go
  const char* account;   // who must have logged in there
};
constexpr Case cases[] = {
    {"billing@shop.example", "billing@shop.example", "alpha", "billing-account"},
    {"news@shop.example", "@shop.example", "alpha", "shop-account"},
    {"cron@host.example", "*", "beta", "everybody"},
};

std::string provider_config(const Folder& folder, const std::string& name, const std::string& tls,
                            const std::string& accounts) {
  return fmt::format(R"(hostname: {0}.demo.example
listen: [{{address: "127.0.0.1:0", tls: {1}, auth: required}}]
tls: {{certificates: [{{certificate: {2}/provider.pem, key: {2}/provider.key}}]}}
accounts: {3}
queue: {{directory: {2}/{0}-queue, reserve: 1MiB}}
upstreams: {{kept: {{sandbox: {{directory: {2}/{0}}}}}}}
senders: [{{match: "*", upstream: kept}}]
log: {{level: error}}
)",
                     name, tls, folder.at(""), accounts);
}

std::string relay_config(const Folder& folder, const std::string& alpha_port, const std::string& beta_port) {
  return fmt::format(R"(hostname: relay.demo.example
listen: [{{address: "127.0.0.1:0"}}]
queue: {{directory: {0}/queue, reserve: 1MiB, retry: {{first: 1s, maximum: 10s}}}}
upstreams:
  alpha:
    host: 127.0.0.1
    port: {1}
    tls: starttls
    tls_options: {{ca_file: {0}/ca.pem, name: alpha.demo.example}}
    username: shop-account
    password: shop-secret
  beta:
    host: 127.0.0.1
    port: {2}
    tls: implicit
    tls_options: {{ca_file: {0}/ca.pem, name: beta.demo.example}}
    username: everybody
    password: everybody-secret
senders:
  - {{match: billing@shop.example, upstream: alpha, username: billing-account, password: billing-secret}}
  - {{match: "@shop.example", upstream: alpha}}
  - {{match: "*", upstream: beta}}
log: {{level: error}}
)",
                     folder.at(""), alpha_port, beta_port);
}

// One of the three messages, handed in as any mail program would.
class DemoMessage final : public send::Delivery {
 public:
  explicit DemoMessage(const Case& wanted) {
    envelope_.sender = wanted.sender;
    envelope_.recipients.push_back({"ann@customer.example", "", ""});
    text_ =
        fmt::format("From: {}\r\nTo: ann@customer.example\r\nSubject: relayd demo\r\n\r\nHello from {}.\r\n",
                    wanted.sender, wanted.sender);
  }
  std::string_view id() const override { return {}; }
  const mail::Envelope& envelope() const override { return envelope_; }
  const std::vector<std::uint32_t>& recipients() const override { return recipients_; }
  std::uint64_t size() const override { return text_.size(); }
  Task<std::string_view> next() override { co_return std::exchange(rest_, {}); }
  Task<void> before_final_dot(std::span<const std::uint32_t>) override { co_return; }

 private:
  mail::Envelope envelope_;
  std::vector<std::uint32_t> recipients_{0};
  std::string text_;
  std::string_view rest_ = text_;
};

class Demo {
 public:
  explicit Demo(bool once) : once_(once) {
    log_.on_pending([this](Duration after) { loop_.call_at(loop_.now() + after, [this] { log_.flush(); }); });
  }

  int run() {
    make_certificates();
    start_relays();
    print_head();
    loop_.on_signal({SIGTERM, SIGINT}, [this](int) { scope_.spawn(stop()); });
    relay_->subscribe({.attempted = [this](const tell::Outcome& outcome) { on_outcome(outcome); }});
    limit_.at(loop_.now() + 30s, [this] {
      fmt::print("Not everything arrived within 30 seconds.\n");
      if (once_) scope_.spawn(stop());
    });
    loop_.run();
    return status_;
  }

 private:
  void make_certificates() {
    const net::Authority authority("relayd demo CA");
    const net::Authority::Issued issued =
        authority.issue({"alpha.demo.example", "beta.demo.example"}, wall_now() - 24h, wall_now() + 24h * 30);
    folder_.write("ca.pem", authority.certificate());
    folder_.write("provider.pem", issued.certificate);
    folder_.write("provider.key", issued.key);
  }

  std::unique_ptr<Relay> start(const std::string& name, const std::string& yaml) {
    folder_.write(name + ".yaml", yaml);
    SetupResult result = make_setup(std::optional<std::filesystem::path>(folder_.at(name + ".yaml")));
    print(result.errors, result.warnings);
    if (!result.setup) throw std::runtime_error("the demo's configuration is refused");
    auto relay = std::make_unique<Relay>(loop_, log_, std::move(*result.setup));
    relay->listen();
    relay->start([this](const std::string& failure) { opened(failure); });
    return relay;
  }

  void opened(const std::string& failure) {
    if (!failure.empty()) throw std::runtime_error(failure);
    if (++opened_ == 3) scope_.spawn(hand_in());
  }

  static std::string port_of(const Relay& relay) {
    const std::string address = relay.addresses().front();
    return address.substr(address.rfind(':') + 1);
  }

  void start_relays() {
    alpha_ = start("alpha", provider_config(folder_, "alpha", "starttls",
                                            "[{name: shop-account, password: shop-secret}, "
                                            "{name: billing-account, password: billing-secret}]"));
    beta_ = start("beta", provider_config(folder_, "beta", "implicit",
                                          "[{name: everybody, password: everybody-secret}]"));
    relay_ = start("relay", relay_config(folder_, port_of(*alpha_), port_of(*beta_)));
  }

  void print_head() const {
    fmt::print(
        "relayd demo: one relay, two sandbox providers, all in this process and on loopback.\n\n"
        "  your app --> relay 127.0.0.1:{:<5} --+--> alpha 127.0.0.1:{:<5}  STARTTLS, AUTH   (two accounts)\n"
        "                                     +--> beta  127.0.0.1:{:<5}  TLS, AUTH        (one account)\n\n",
        port_of(*relay_), port_of(*alpha_), port_of(*beta_));
    fmt::print("{:<12} {:<21} {:<21} {:<9} {:<16} {:<8} {:<34} {}\n", "message", "sender", "rule", "upstream",
               "account", "TLS", "reply", "time");
    std::fflush(stdout);
  }

  Task<void> hand_in() {
    send::Target target;
    target.host = "127.0.0.1";
    target.port = static_cast<std::uint16_t>(std::stoi(port_of(*relay_)));
    target.tls_mode = send::TlsMode::none;
    target.tls.verify = false;
    target.hostname = "app.demo.example";
    send::SmtpTransport app(loop_, workers_, dialer_, target, nullptr);
    const std::optional<send::Event> failed = co_await app.open();
    if (failed) {
      fmt::print("The relay cannot be reached: {}\n", failed->text);
      co_await stop();
      co_return;
    }
    send::Nobody nobody;
    for (const Case& wanted : cases) {
      DemoMessage message(wanted);
      const send::Report report = co_await app.send(message, nobody);
      const send::Event& event = report.recipients.front().event;
      if (!event.reply.positive())
        fmt::print("{}: {} {}\n", wanted.sender, smtp::one_line(event.reply), event.text);
    }
    co_await app.close();
  }

  void on_outcome(const tell::Outcome& outcome) {
    fmt::print("{:<12} {:<21} {:<21} {:<9} {:<16} {:<8} {:<34} {:.1f} ms\n", outcome.id, outcome.from,
               outcome.rule, outcome.upstream, outcome.account, outcome.tls,
               smtp::one_line(outcome.event).substr(0, 34),
               std::chrono::duration<double, std::milli>(outcome.age).count());
    std::fflush(stdout);
    const bool delivered = outcome.fate == tell::Fate::delivered;
    for (const Case& wanted : cases)
      if (delivered && outcome.from == wanted.sender && outcome.rule == wanted.rule &&
          outcome.upstream == wanted.upstream && outcome.account == wanted.account)
        ++seen_;
    if (seen_ != std::size(cases) || checked_) return;
    checked_ = true;
    // The providers have said 250; what they keep is written a moment later.
    scope_.spawn(check_providers());
  }

  // The proof is the providers' own: who had logged in when the message came.
  Task<void> check_providers() {
    while (captured() < std::size(cases)) co_await async::sleep_until(loop_, loop_.now() + 10ms);
    limit_.cancel();
    std::size_t right = 0;
    for (const Case& wanted : cases) right += arrived(wanted) ? 1U : 0U;
    status_ = right == std::size(cases) ? EX_OK : EX_SOFTWARE;
    fmt::print("\n{} of {} messages arrived at the right provider under the right account.\n", right,
               std::size(cases));
    if (once_)
      co_await stop();
    else
      print_how_to_go_on();
    std::fflush(stdout);
  }

  template <class Visit>
  void for_each_capture(Visit visit) const {
    for (const char* provider : {"alpha", "beta"}) {
      std::error_code absent;
      for (const auto& file : std::filesystem::directory_iterator(folder_.at(provider), absent))
        if (file.path().extension() == ".json")
          visit(provider, nlohmann::json::parse(std::ifstream(file.path())));
    }
  }
  std::size_t captured() const {
    std::size_t count = 0;
    for_each_capture([&count](const char*, const nlohmann::json&) { ++count; });
    return count;
  }
  bool arrived(const Case& wanted) const {
    bool found = false;
    for_each_capture([&](const char* provider, const nlohmann::json& message) {
      found |= wanted.upstream == std::string(provider) && message["sender"] == wanted.sender &&
               message["account"] == wanted.account;
    });
    return found;
  }

  void print_how_to_go_on() const {
    const std::string port = port_of(*relay_);
    fmt::print(
        "\nThe relay stays up; send it more, each line shows up above. Ctrl-C ends it.\n\n"
        "  swaks --server 127.0.0.1:{0} --from news@shop.example --to bob@customer.example\n"
        "  printf 'Subject: hi\\n\\nhello\\n' | curl -s smtp://127.0.0.1:{0} --mail-from cron@host.example "
        "--mail-rcpt bob@customer.example -T -\n"
        "  python3 -c \"import smtplib; smtplib.SMTP('127.0.0.1', {0}).sendmail('billing@shop.example', "
        "'bob@customer.example', 'Subject: hi\\n\\nhello')\"\n"
        "  printf 'Subject: hi\\n\\nhello\\n' | msmtp --host=127.0.0.1 --port={0} --from=cron@host.example "
        "bob@customer.example   # speaks sendmail's options\n\n"
        "What the providers took lies in {1} and {2} until then; the configuration of the relay is {3}.\n",
        port, folder_.at("alpha"), folder_.at("beta"), folder_.at("relay.yaml"));
  }

  Task<void> stop() {
    if (std::exchange(stopping_, true)) co_return;
    limit_.cancel();
    for (Relay* relay : {relay_.get(), alpha_.get(), beta_.get()})
      co_await relay->shut_down(loop_.now() + 2s);
    loop_.stop();
  }

  bool once_;
  Folder folder_{"demo"};
  net::AsioLoop loop_;
  telemetry::Log log_{STDERR_FILENO, telemetry::Log::Format::text, telemetry::Level::error,
                      telemetry::Log::Addresses::full};
  async::Workers workers_{loop_, 1};
  net::NetDialer dialer_{loop_};
  async::Timer limit_{loop_};
  std::unique_ptr<Relay> alpha_;
  std::unique_ptr<Relay> beta_;
  std::unique_ptr<Relay> relay_;
  async::Scope scope_;
  std::size_t opened_ = 0;  // relays
  std::size_t seen_ = 0;
  bool checked_ = false;
  bool stopping_ = false;
  int status_ = EX_SOFTWARE;
};

}  // namespace

int demo(const Options& options) {
  std::signal(SIGPIPE, SIG_IGN);
  return Demo(options.once).run();
}

}  // namespace relayd::command
