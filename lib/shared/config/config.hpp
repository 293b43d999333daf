// Config: the whole configuration as typed values, and how it is read.
//
// Used by every room; a loaded Config is immutable and shared (std::shared_ptr<const Config>), so a reload
// swaps one pointer. It knows shapes and units, not mail: presets and matching are route's. Values that a
// preset may fill in are optional here. Durations and sizes carry their unit in the type.
#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/bytes.hpp"
#include "shared/base/words.hpp"
#include "shared/config/limit.hpp"
#include "shared/config/network.hpp"
#include "shared/config/oauth2.hpp"
#include "shared/config/secret_source.hpp"
#include "shared/sasl/mechanism.hpp"
#include "shared/smtp/pipelining.hpp"
#include "shared/smtp/reply_class.hpp"
#include "shared/smtp/tls_mode.hpp"

namespace relayd::config {

using smtp::Pipelining;
using smtp::TlsMode;

// One error, in words that say what to change. Printed as FILE:LINE:COL: text.
struct Diagnostic {
  std::string file;
  Location where;
  std::string text;
};
std::string to_string(const Diagnostic& diagnostic);

enum class ListenerAuth { none, optional, required, accept_any };

struct Listener {
  std::string address;     // as written: "127.0.0.1:25", "[::1]:25", "unix:/run/relayd/smtp.sock", "fd:smtp"
  std::string host;        // "127.0.0.1", "::1"; empty for a unix socket
  std::uint16_t port = 0;  // 0: the kernel chooses
  std::string unix_path;
  std::string inherited;  // a socket handed over by the service manager: its name or number; else empty
  TlsMode tls = TlsMode::none;
  ListenerAuth auth = ListenerAuth::none;
  std::vector<Network> allow;             // default: loopback
  std::vector<std::uint32_t> allow_uids;  // of a unix socket's clients; empty: all that may connect
  bool provider_headers = false;          // its clients may give orders to a provider
  std::string name;                       // for rules that name it; empty: none
  Location where;
};

struct Certificate {
  std::string certificate;  // PEM, leaf first
  std::string key;          // PEM
  Location where;
};

struct Account {
  std::string name;
  SecretSource password;                 // one of these two is given
  SecretSource scram_sha_256;            // RFC 5803: "SCRAM-SHA-256$4096:SALT$STORED:SERVER"
  std::vector<std::string> may_send_as;  // empty: anything
  bool may_send_as_header = false;       // the header's From is held to may_send_as, too
  std::string file;                      // where it stands; empty: the configuration
  Location where;
};

enum class AccessVerdict { accept, reject, discard, hold };

struct AccessRule {
  std::string match;  // a pattern as of a SenderRule, in lower case; empty: `table`
  std::string table;  // the name of one of `tables`, whose values are verdicts; empty: `match`
  AccessVerdict verdict = AccessVerdict::accept;
};

// Which addresses mail may come from and go to; the most specific pattern wins, an address without one is
// accepted.
struct Access {
  std::vector<AccessRule> senders;
  std::vector<AccessRule> recipients;
};

// The targets of a recipient; see rewrite/aliases.hpp.
struct Alias {
  std::string name;
  std::vector<std::string> targets;
  Location where;
};

// A rule that replaces addresses; see rewrite/rewriting.hpp.
struct RewriteRule {
  std::string match;           // a pattern as of a SenderRule; empty: `table`
  std::string table;           // the name of one of `tables`; empty: `match`
  std::string to;              // ADDRESS, or @DOMAIN: the local part stays; with a table its value
  bool sender = false;         // of the envelope
  bool recipient = false;      // of the envelope
  bool from_fields = false;    // From, Sender, Reply-To and their like
  bool to_fields = false;      // To, Cc, Bcc and their like
  bool taken = false;          // once, when the message is taken; else at each attempt
  bool keep_reply_to = false;  // the From that is replaced goes to Reply-To, unless there is one
  Location where;
};

struct HeaderField {
  std::string name;
  std::string value;
};

enum class ReceivedForm { full, masked };

// What is done to header fields at an attempt; see rewrite/header_rules.hpp.
struct HeaderRules {
  std::vector<std::string> remove;       // names; a '*' at the end stands for anything
  std::vector<HeaderField> set;          // in place of all fields of that name
  std::vector<HeaderField> set_missing;  // `default`: if there is none
  std::string subject_prefix;
  std::optional<ReceivedForm> received;  // in our own field
  bool empty() const {
    return remove.empty() && set.empty() && set_missing.empty() && subject_prefix.empty() && !received;
  }
};

// Changes to messages: to all, at an upstream, or under a rule of `senders`.
struct Changes {
  std::vector<RewriteRule> rewrite;
  HeaderRules headers;
};

// Copies for others.
struct Bcc {
  std::string match;          // a pattern as of a SenderRule; empty: `table`
  std::string table;          // the name of one of `tables`, whose values are addresses; empty: `match`
  bool of_recipient = false;  // it is compared with recipients; else with the sender
  std::vector<std::string> to;
  Location where;
};

// All mail goes to `redirect`, except for recipients that `allow` names.
struct Staging {
  std::string redirect;
  std::vector<std::string> allow;  // patterns as of a SenderRule
  std::string subject_prefix;
  Location where;
};

// A key that signs; see rewrite/dkim.hpp.
struct DkimKey {
  std::string domain;
  std::string selector;
  std::string key;  // path of the PEM file
  std::optional<std::chrono::seconds> expires_after;
  Location where;
};

// Keys and values from a file; see shared/table/table.hpp.
struct Table {
  std::string name;
  std::string file;    // lines `KEY VALUE`, or comma-separated if its name ends in .csv; empty: `regexp`
  std::string regexp;  // lines `/PATTERN/ VALUE`; empty: `file`
  Location where;
};

// Reports to senders about what became of their mail; see tell/report.hpp.
struct Bounce {
  enum class Content { headers, full };

  std::string from;                                 // empty: no report is written
  bool to_sender = true;                            // `to` names the sender
  std::vector<std::string> to;                      // addresses that `to` names
  std::vector<std::chrono::seconds> delay_warning;  // ages of a message, ascending
  Content content = Content::headers;               // what a report returns at most
  Rate limit{100, std::chrono::hours(1), Counted::messages};
  Location where;
};

// What became of messages, kept for `relayd history`.
struct History {
  std::chrono::seconds keep{14 * 86400};  // 0: nothing is kept
  Bytes size = 256_MiB;                   // at most
  Location where;
};

// Recipients who are refused for a time, because an upstream said that they do not exist.
struct Suppress {
  std::chrono::seconds keep{30 * 86400};
  Location where;
};

// The events that a receiver of webhooks can get.
enum class WebhookEvent { delivered, deferred, failed, expired, suppressed, account_failing, account_ok };

constexpr auto words_of(WebhookEvent) {
  using enum WebhookEvent;
  return std::to_array<Word<WebhookEvent>>({{"delivered", delivered},
                                            {"deferred", deferred},
                                            {"failed", failed},
                                            {"expired", expired},
                                            {"suppressed", suppressed},
                                            {"account_failing", account_failing},
                                            {"account_ok", account_ok}});
}

// A receiver of events about messages, over HTTPS; see relay/webhooks.hpp.
struct Webhook {
  std::string url;                    // checked; has no user and no fragment
  std::vector<WebhookEvent> events;   // the events that it gets; at least one
  std::vector<SecretSource> secrets;  // "whsec_…"; each signs: two while one is being changed
  std::string ca_file;                // PEM; empty: the system's bundle
  std::string proxy;                  // "http://HOST:PORT", spoken to by CONNECT; empty: none
  bool private_network = false;       // it may have an address of a private network
  bool insecure = false;              // http:// beyond loopback
  Bytes size = 64_MiB;                // of its waiting events on disk
  Location where;
};

// More would not fit into one record of the queue.
inline constexpr std::uint32_t most_recipients = 20'000;

struct Limits {
  Bytes message_size = 50_MiB;
  Bytes header_size = 256_KiB;
  std::uint32_t header_fields = 10'000;
  std::uint32_t recipients = 1000;
  std::uint32_t connections = 1000;
  std::uint32_t connections_per_client = 100;
  std::chrono::seconds command_timeout{300};
  std::chrono::seconds data_timeout{600};
  enum class BareNewlines { normalise, reject } bare_newlines = BareNewlines::normalise;
};

struct Retry {
  std::chrono::milliseconds first{60'000};
  double factor = 2.0;
  std::chrono::milliseconds maximum{3'600'000};
  double jitter = 0.2;  // each delay is multiplied by 1 ± jitter, drawn evenly
};

struct Queue {
  std::string directory = "/var/spool/relayd";
  std::chrono::seconds lifetime{5 * 86400};
  Retry retry;
  Bytes reserve = 256_MiB;
  std::chrono::seconds keep_failed{14 * 86400};
  bool require_persistent = false;
  enum class InDoubt { retry, hold } in_doubt = InDoubt::retry;
  std::string drop;  // the drop folder; empty: beside the queue's directory, if it exists
};

struct UpstreamLimits {
  std::optional<std::uint32_t> connections = {};
  std::optional<std::uint32_t> connections_total = {};
  std::optional<std::uint32_t> messages_per_connection = {};
  std::optional<std::uint32_t> recipients_per_connection = {};
  std::optional<std::uint32_t> recipients_per_message = {};
  std::optional<Bytes> message_size = {};
  // All limits of a list hold; an empty list: none, even if the preset has some.
  std::optional<std::vector<Rate>> rate = {};          // of each account
  std::optional<std::vector<Quota>> quota = {};        // of each account
  std::optional<std::vector<Quota>> quota_total = {};  // of all accounts together
  std::optional<std::chrono::seconds> idle = {};
};

enum class TlsVersion { tls1_2, tls1_3 };

struct TlsOptions {
  std::string ca_file;  // empty: the system's bundle
  std::string name;     // name to verify instead of the host's; empty: the host
  std::optional<TlsVersion> min_version;
  std::vector<std::string>
      pins;  // SHA-256 of the server's key (SubjectPublicKeyInfo), 32 octets each; one must fit
  std::string client_certificate;  // PEM, leaf first; empty: none
  std::string client_key;          // PEM
  bool verify = true;  // `verify: none` only when written out; credentials are then sent to loopback alone
};

enum class Protocol { smtp, lmtp };

constexpr auto words_of(Protocol) {
  using enum Protocol;
  return std::to_array<Word<Protocol>>({{"smtp", smtp}, {"lmtp", lmtp}});
}

// A directory that mail is delivered into; see send/maildir.hpp.
struct Maildir {
  std::string directory;
  Location where;
};

struct Upstream {
  std::string name;
  std::string provider;  // preset; empty: none
  std::string region;
  std::optional<std::string> host;
  std::vector<std::uint16_t> ports;  // tried in order; empty: the preset's, else by TLS mode (587, 465, 25)
  std::optional<TlsMode> tls;
  TlsOptions tls_options;
  std::vector<sasl::Mechanism> auth;  // in order of preference; empty: the default order
  std::optional<std::string> username;
  SecretSource password;
  SecretSource next_password;    // tried if the server refuses the other
  std::optional<OAuth2> oauth2;  // in place of a password
  bool mx = false;               // `host` is a domain: mail goes to its MX hosts (RFC 5321 5.1)
  bool srv = false;              // `host` is a domain: its SRV records name the hosts (RFC 6186, RFC 8314)
  Protocol protocol = Protocol::smtp;
  std::string unix_path;           // `host: "unix:PATH"`, of LMTP; empty: none
  std::string proxy;               // "socks5://HOST:PORT" or "http://HOST:PORT"; empty: none
  std::optional<Maildir> maildir;  // given: delivers into a directory and connects to nothing
  UpstreamLimits limits;
  std::optional<Pipelining> pipelining;
  std::optional<smtp::ReplyClasses> retry_next_on;  // absent: the default set
  std::optional<std::string> sandbox_directory;     // a sandbox: keeps each message as a file and sends
                                                    // nothing
  Changes changes;                                  // for messages that it gets
  Location where;
};

// One of a rule's upstreams, with the account to use there: a credential is written beside the one upstream
// that it is for. Without a username it is the rule's (which then has only this upstream), else the
// upstream's own.
struct RuleUpstream {
  std::string name;
  std::optional<std::string> username = {};
  SecretSource password = {};
  SecretSource next_password = {};
  std::optional<OAuth2> oauth2 = {};
  std::uint32_t weight = 0;  // this share of the messages begins here; 0 of all: they are tried in order
  Location where = {};
};

// The conditions of a rule besides its address; an empty member is no condition.
struct RuleConditions {
  std::string account;               // the client logged in as
  std::vector<Network> clients;      // the client's address is in one of these
  std::vector<std::uint32_t> uids;   // or, at a unix socket, it is one of these users
  std::string listener;              // the name of the listener that it came to
  std::vector<HeaderField> headers;  // the header has all of these fields, with exactly these values
};

// A rule of `senders` or of `recipients`.
struct SenderRule {
  RuleConditions conditions;
  std::string match;
  std::vector<RuleUpstream> upstreams;  // in order; empty only with `reject`
  std::optional<std::string> username;  // only with one upstream that names no account
  SecretSource password;
  SecretSource next_password;
  std::optional<OAuth2> oauth2;
  std::string reject;  // "550 5.7.1 text"; empty: none
  Changes changes;     // for mail that is sent under it
  std::string file;    // where it stands; empty: the configuration
  Location where;
};

enum class LogFormat { automatic, text, json };
enum class LogLevel { debug, info, warning, error };
enum class LogAddresses { full, masked };

struct Log {
  LogFormat format = LogFormat::automatic;
  LogLevel level = LogLevel::info;
  LogAddresses addresses = LogAddresses::full;
};

// The operator's window over HTTP; see watch/web.hpp.
struct Http {
  std::string address;  // as written: "127.0.0.1:9125", "unix:/run/relayd/http.sock", "fd:http"
  std::string host;     // as in Listener
  std::uint16_t port = 0;
  std::string unix_path;
  std::string inherited;
  SecretSource token;              // what a client shows to change something; none: nobody may
  std::vector<std::string> hosts;  // names by which it may be opened, beside loopback's; in lower case
  Location where;
};

// The account watch: checks now and then whether each account works.
struct Watch {
  std::chrono::seconds every{86400};
  std::vector<std::string> notify;  // the addresses that get its mail; empty: none
  Location where;
};

struct Admin {
  std::string socket;  // path of the unix socket; empty: admin.sock in the queue's directory
};

struct Config {
  std::string file;  // for messages; "environment" when it came from there
  std::string hostname;
  std::string origin;  // the domain for addresses without one
  std::vector<Listener> listeners;
  std::vector<Certificate> certificates;
  std::vector<Account> accounts;
  Access access;
  std::vector<Alias> aliases;
  std::string aliases_file;  // empty: none
  Location aliases_file_where = {};
  std::string accounts_file;  // empty: none
  Location accounts_file_where = {};
  Changes changes;  // of every message
  std::vector<Bcc> bcc;
  std::string aliases_table;  // the name of one of `tables`; empty: none
  Location aliases_table_where = {};
  Bounce bounce;
  History history;
  std::optional<Suppress> suppress;
  std::vector<Webhook> webhooks;
  std::optional<Staging> staging;
  std::vector<DkimKey> dkim;
  std::vector<Table> tables;
  Limits limits;
  Queue queue;
  std::vector<Upstream> upstreams;     // in the file's order
  std::vector<SenderRule> recipients;  // looked at before `senders`
  std::vector<SenderRule> senders;
  std::string senders_table;  // the name of one of `tables`, asked if no rule matches; empty: none
  Location senders_table_where = {};
  std::string senders_file;  // empty: none
  Location senders_file_where = {};
  Log log;
  Admin admin;
  std::optional<Http> http;  // nothing: off
  std::optional<Watch> watch;
  std::string user;         // the user that root becomes, by name or number; empty: see `user` in
                            // config.example.yaml
  bool confinement = true;  // Landlock, seccomp and no_new_privs

  // The socket at which the operator's commands find the daemon.
  std::string admin_socket() const {
    return admin.socket.empty() ? queue.directory + "/admin.sock" : admin.socket;
  }

  // The folder in which `relayd sendmail` leaves mail while no daemon answers. Users may not enter the
  // queue's directory.
  std::string drop_directory() const { return queue.drop.empty() ? queue.directory + "-drop" : queue.drop; }

  const Upstream* upstream(std::string_view name) const;
};

using Environment = std::map<std::string, std::string, std::less<>>;
Environment process_environment();

struct Loaded {
  std::shared_ptr<const Config> config;  // null when there are errors
  std::vector<Diagnostic> errors;
  std::vector<Diagnostic> warnings;
};

// What a load demands of the file, and of the files that it names.
struct Demands {
  // Secrets, keys and certificates exist and may be read. Without it their sources are not looked at:
  // commands that use none work without them.
  bool secrets = true;
  std::optional<uid_t> owner = {};  // the file is this user's, or root's
  // Every RELAYD_* variable is known and does something. That is for a start: a later load cannot change the
  // environment, and that of a command is its caller's.
  bool variables = true;
};

// Reads and checks a file as a whole: every error is found in one pass, in the file's order. Reads no secret;
// asks the system's resolver for the host's full name when `hostname` is not given.
Loaded load_file(const std::filesystem::path& path, const Environment& environment,
                 const Demands& demands = {});
// The same for text in memory; `name` stands for the file in messages.
Loaded load_text(std::string_view text, const std::string& name, const Environment& environment);
// One upstream from RELAYD_* variables alone, when there is no file.
Loaded load_environment(const Environment& environment, const Demands& demands = {});

// Every key path that the reader knows ("queue.retry.first", "upstreams.*.host"), with whether it is only
// reserved. One row for each key; a test compares config.example.yaml with it.
struct KeyRow {
  std::string path;
  bool supported;  // false: the name is kept free and refused with "not supported yet"
};
std::vector<KeyRow> key_table();

}  // namespace relayd::config
