// The commands of the executable, a file each, and what they share. They return an exit status (sysexits.h if
// one fits).
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/setup.hpp"
#include "shared/telemetry/log.hpp"
#include "watch/admin_request.hpp"

namespace relayd::command {

inline constexpr const char* default_config = "/etc/relayd/relayd.yaml";

struct Options {
  std::string config;         // -c; empty: the default file, or the environment if there is none
  std::string socket;         // of the daemon that is asked; empty: see daemon_address.hpp
  std::string url;            // of its window, which is asked instead; empty: none
  bool mail_program = false;  // sendmail, mailq: what -C names must be the caller's, or root's
  std::string as;             // check: the user; empty: the daemon's
  std::string sender;         // explain
  std::string recipient;      // explain; empty: none
  std::string message;        // explain: its file; empty: none
  std::string client;         // explain: its address, or "uid:1000"; empty: none
  std::string account;        // explain: the account that the client logged in as; empty: none
  std::string listener;       // explain: the name of the listener; empty: one without a name
  bool live = false;          // explain: also how the lanes of the daemon stand
  bool once = false;          // demo
  std::chrono::milliseconds grace{20'000};  // run: how long work under way may take after SIGTERM
  watch::Request queue;                     // queue, lane
  bool json = false;                        // for scripts
  bool compare = false;                     // dns: compares with DNS
  std::optional<std::string> server;        // dns: the servers to ask; none: those of RELAYD_DNS or
                                            // resolv.conf
  std::string directory;                    // queue check, queue export: empty: that of the configuration
  std::string to = "relayd-export";         // queue export
  std::string domain;                       // dkim keygen, dns
  std::string selector;                     // dkim keygen, as the next two
  std::string key_type = "rsa";             // or ed25519
  std::string what;                         // history, as the next three; empty: any message
  std::string since;                        // empty: ever
  bool failed = false;
  std::optional<std::size_t> limit;  // nothing: the default
  std::string output;                // empty: a name of domain and selector
  std::string file;                  // suppress import; -: standard input
  bool csv = false;                  // suppress export
  bool metrics = false;              // status, as the next three
  bool check = false;
  bool watch = false;
  bool trouble = false;
  bool markdown = false;  // presets: the page docs/providers.md

  // oauth login; `account` empty: the only one
  std::string upstream;
  bool browser = false;  // on this machine, even if a code could be typed elsewhere

  // doctor
  std::vector<std::string> upstreams;  // none: all
  std::chrono::milliseconds timeout{30'000};
  bool dns = false;  // also what DNS says of the senders

  // sandbox
  std::string provider;
  std::string listen = "127.0.0.1:0";  // an IP literal and a port; 0: the kernel chooses
  std::string tls;                     // starttls or implicit; empty: as the provider's first port has it
  std::string region;                  // empty: the default one
  std::string behaviour = "ok";        // what goes wrong
  std::optional<std::uint32_t> times;  // how often; nothing: always
};

int run(const Options& options);
int sandbox(const Options& options);
int check(const Options& options);
int explain(const Options& options);
int demo(const Options& options);
int dkim_keygen(const Options& options);
int dns(const Options& options);
int doctor(const Options& options);
int hash_password();
int healthcheck(const Options& options);
int history(const Options& options);
int lane(const Options& options);
int oauth_login(const Options& options);
int oauth_status(const Options& options);
int presets(const Options& options);
int queue(const Options& options);
int queue_check(const Options& options);
int queue_export(const Options& options);
int reload(const Options& options);
int status(const Options& options);
int suppress(const Options& options);
int version();

// The file that is read: the one of -c, else RELAYD_CONFIG, else the default file if it exists, else none
// (the environment).
std::optional<std::filesystem::path> config_file(const Options& options);
// Whether RELAYD_* variables say where mail goes, for a start without a file.
bool starts_by_environment();

// The configuration without its secrets: reads none of them and runs no command, so it works where they
// cannot be read. Only `run`, `check` and `demo` make a Setup.
config::Loaded load_config(const Options& options);
// The same; null if there is none that can be used; standard error has the reason.
std::shared_ptr<const config::Config> usable_config(const Options& options);
// The mail programs' configuration: the same, but the default one if none is named and none can be read.
// Anybody may call them, and the daemon is where the default says.
std::shared_ptr<const config::Config> config_or_default(const Options& options);

// Prints every diagnostic as FILE:LINE:COL: text on standard error.
void print(const std::vector<config::Diagnostic>& errors,
           const std::vector<config::Diagnostic>& warnings = {});

// Makes a set-user-ID program, or one like it, ignore the RELAYD_* variables, which are its caller's.
void forget_variables_of_a_caller();

telemetry::Log make_log(const config::Log& settings);

}  // namespace relayd::command
