// relayd sandbox PROVIDER: a fake of a provider on loopback, with a throw-away certificate, which says what
// the provider says. It sends nothing anywhere.
#include <fmt/format.h>
#include <sysexits.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <filesystem>

#include "commands.hpp"
#include "fake/server.hpp"
#include "folder.hpp"
#include "new_file.hpp"
#include "shared/base/result.hpp"
#include "shared/config/suggest.hpp"
#include "shared/config/value.hpp"
#include "shared/net/tls_authority.hpp"
#include "shown.hpp"

namespace relayd::command {

namespace {

using async::Task;
using route::Provider;
using smtp::TlsMode;
using namespace std::chrono_literals;

constexpr std::string_view password = "sandbox";
constexpr std::string_view access_token = "sandbox-token";

// Fails with what is wrong with the command line.
struct Usage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

const Provider& provider_of(const Options& options) {
  const Provider* const found = providers::find(options.provider);
  if (found) return *found;
  std::vector<std::string_view> names;
  for (const Provider& one : providers::all()) names.push_back(one.name);
  throw Usage(
      fmt::format("unknown provider '{}'{}", options.provider, config::suggestion(options.provider, names)));
}

std::string host_name(const Provider& provider, const std::string& region) {
  const bool any_region = provider.is_preset() && provider.regions.front().name == "*";
  const std::string_view named = region.empty() && any_region ? provider.example_region : region;
  if (!provider.is_preset() || (region.empty() && provider.regions.front().host.empty()))
    return fmt::format("{}.sandbox.example", provider.name);
  const Result<std::string> host = route::host_of(provider, named);
  if (!host) throw Usage(host.error());
  return *host;
}

TlsMode tls_of(const Provider& provider, const std::string& wanted) {
  const auto mode = find_word<TlsMode>(wanted);
  if (provider.endpoints.empty()) return mode.value_or(TlsMode::starttls);
  if (!mode) return provider.endpoints.front().tls;
  if (std::ranges::find(provider.endpoints, *mode, &route::Endpoint::tls) == provider.endpoints.end())
    throw Usage(fmt::format("{} has no port with {} TLS", provider.name, wanted));
  return *mode;
}

struct Address {
  std::string host;
  std::uint16_t port = 0;
};

Address address_of(const std::string& text) {
  Address address;
  const std::size_t colon = text.rfind(':');
  const char* const end = text.data() + text.size();
  if (colon != std::string::npos) {
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, address.port);
    if (error == std::errc{} && stop == end && colon + 1 < text.size()) address.host = text.substr(0, colon);
  }
  if (address.host.starts_with('[') && address.host.ends_with(']'))
    address.host = address.host.substr(1, address.host.size() - 2);
  if (address.host.empty()) throw Usage(fmt::format("--listen wants ADDRESS:PORT, not '{}'", text));
  return address;
}

std::optional<fake::Behaviour> behaviour_of(const Provider& provider, const std::string& name) {
  if (name == "ok") return std::nullopt;
  const std::optional<fake::Behaviour> found = fake::find_behaviour(provider, name);
  if (found) return found;
  std::vector<std::string_view> names = {"ok"};
  for (const fake::Behaviour& one : fake::behaviours_of(provider)) names.push_back(one.name);
  throw Usage(fmt::format("unknown behaviour '{}'; {} has: {}", name, provider.name, fmt::join(names, ", ")));
}

int list_behaviours(const Provider& provider) {
  fmt::print("{:<22} {:<10} {}\n", "ok", "", "takes the mail, within its limits");
  for (const fake::Behaviour& one : fake::behaviours_of(provider))
    fmt::print("{:<22} {:<10} {}\n", one.name, smtp::to_string(one.stage),
               one.reply.empty() ? "closes the connection without a reply" : one.reply);
  return EX_OK;
}

std::string example_username(const Provider& provider) {
  switch (provider.account.form) {
    case providers::UsernameForm::one_word:
      return std::string(provider.account.word);
    case providers::UsernameForm::no_address:
      return "AKIAEXAMPLE";
    case providers::UsernameForm::address:
    case providers::UsernameForm::any:
      break;
  }
  return "app@example.com";
}

class Sandbox {
 public:
  explicit Sandbox(const Options& options)
      : provider_(provider_of(options)),
        directory_(options.directory),
        part_{.provider = provider_,
              .host = host_name(provider_, options.region),
              .password = std::string(password),
              .token = std::string(access_token),
              .behaviour = behaviour_of(provider_, options.behaviour),
              .times = options.times,
              .on_note = [this](const fake::Note& note) { print_note(note); }} {
    if (!directory_.empty()) std::filesystem::create_directories(directory_);
    const TlsMode tls = tls_of(provider_, options.tls);
    const Address address = address_of(options.listen);
    if (!config::is_loopback_host(address.host))
      fmt::print(stderr, "relayd: whoever reaches {} may use this sandbox: its password is no secret\n",
                 shown(options.listen));
    server_.emplace(loop_, part_, address.host, address.port, tls, certificate());
    print_head(options, tls);
  }

  int run() {
    loop_.on_signal({SIGTERM, SIGINT}, [this](int) {
      server_->shut_down();
      scope_.spawn(stop());
    });
    loop_.run();
    return EX_OK;
  }

 private:
  Task<void> stop() {
    co_await server_->drained();
    loop_.stop();
  }

  std::shared_ptr<net::TlsServerContext> certificate() {
    const net::Authority authority("relayd sandbox CA");
    const net::Authority::Issued issued = authority.issue(
        {part_.host, "localhost", "127.0.0.1", "::1"}, loop_.wall_now() - 24h, loop_.wall_now() + 24h * 365);
    folder_.write("ca.pem", authority.certificate());
    folder_.write("server.pem", issued.certificate);
    folder_.write("server.key", issued.key);
    auto made = net::TlsServerContext::create({{folder_.at("server.pem"), folder_.at("server.key")}});
    if (!made) throw std::runtime_error(made.error());
    return *made;
  }

  // A configuration that leads here, as it would lead to the provider.
  void print_head(const Options& options, TlsMode tls) const {
    const std::string address = server_->address();
    const std::size_t colon = address.rfind(':');
    const std::string doing = part_.behaviour
                                  ? fmt::format("{}: {} at {}", part_.behaviour->name, part_.behaviour->reply,
                                                to_string(part_.behaviour->stage))
                                  : "ok";
    fmt::print("A sandbox of {} at {} ({}).\nIt does: {}\n\n", provider_.name, address, to_string(tls),
               doing);
    fmt::print("  upstreams:\n    {}:\n", provider_.name);
    if (provider_.is_preset()) fmt::print("      provider: {}\n", provider_.name);
    if (!options.region.empty()) fmt::print("      region: {}\n", options.region);
    fmt::print("      host: {}\n      port: {}\n      tls: {}\n", address.substr(0, colon),
               address.substr(colon + 1), to_string(tls));
    fmt::print("      tls_options: {{ca_file: {}}}\n", folder_.at("ca.pem"));
    print_account();
    fmt::print("\n");
    std::fflush(stdout);
  }

  void print_account() const {
    const std::string username = example_username(provider_);
    const bool by_token = std::ranges::any_of(provider_.mechanisms, sasl::takes_token);
    const bool by_password =
        !provider_.takes_tokens_alone() && !(provider_.is_preset() && provider_.mechanisms.empty());
    if (by_password) fmt::print("      username: {}\n      password: {}\n", username, password);
    if (!by_token) return;
    folder_.write("token", std::string(access_token));
    fmt::print("      # {} access token {}:\n",
               by_password ? "or, without username and password, with the" : "with the", access_token);
    fmt::print("      {}oauth2: {{token: {{command: [/bin/cat, {}]}}, user: {}}}\n", by_password ? "# " : "",
               folder_.at("token"), username);
  }

  void print_note(const fake::Note& note) {
    fmt::print("account={} from=<{}> to={} reply={}", shown(note.account), shown(note.sender),
               shown(fmt::format("{}", fmt::join(note.recipients, ","))),
               note.reply.empty() ? "(closed)" : shown(note.reply));
    if (!note.content.empty() && !directory_.empty()) {
      const Result<std::string> kept = keep(note.content);
      fmt::print(" {}={}", kept ? "kept" : "lost", shown(kept ? *kept : kept.error()));
    }
    fmt::print("\n");
    std::fflush(stdout);
  }

  // A reader of the directory sees whole files only, and what lies there already is not written to.
  Result<std::string> keep(std::string_view content) {
    namespace fs = std::filesystem;
    const fs::path folder = directory_;
    std::error_code error;
    while (fs::exists(folder / fmt::format("{:06}.eml", ++kept_), error)) {
    }
    const fs::path part = folder / fmt::format("{:06}.part", kept_);
    const fs::path whole = folder / fmt::format("{:06}.eml", kept_);
    const std::string failure = write_new_file(part, content, 0600);
    if (!failure.empty()) return Error{failure};
    fs::rename(part, whole, error);
    if (error) return Error{fmt::format("cannot name it {}: {}", whole.string(), error.message())};
    return whole.string();
  }

  const Provider& provider_;
  std::string directory_;
  std::uint64_t kept_ = 0;
  Folder folder_{"sandbox"};
  net::AsioLoop loop_;
  fake::Part part_;
  std::optional<fake::Server> server_;
  async::Scope scope_;
};

}  // namespace

int sandbox(const Options& options) {
  try {
    if (options.behaviour == "list") return list_behaviours(provider_of(options));
    std::signal(SIGPIPE, SIG_IGN);
    return Sandbox(options).run();
  } catch (const Usage& error) {
    fmt::print(stderr, "relayd: {}\n", shown(error.what()));
    return EX_USAGE;
  } catch (const net::BindError& error) {
    fmt::print(stderr, "relayd: {}\n", shown(error.what()));
    return EX_UNAVAILABLE;
  }
}

}  // namespace relayd::command
