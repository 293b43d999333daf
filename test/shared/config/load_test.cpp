#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shared/config/config.hpp"
#include "shared/config/test_config.hpp"

namespace relayd::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

// A start that is good, to which a test adds what it is about.
const std::string base = R"(hostname: mail.example.com
upstreams:
  office: {host: smtp.example.net}
senders:
  - {match: "*", upstream: office}
)";

TEST(Load, DefaultsAreThoseOfTheContract) {
  const Config config = good(base);
  ASSERT_EQ(config.listeners.size(), 2u);
  EXPECT_EQ(config.listeners[0].address, "127.0.0.1:25");
  EXPECT_EQ(config.listeners[1].host, "::1");
  EXPECT_EQ(config.listeners[1].port, 25);
  ASSERT_EQ(config.listeners[0].allow.size(), 2u);
  EXPECT_EQ(config.listeners[0].allow[0].text(), "127.0.0.0/8");
  EXPECT_EQ(config.listeners[0].allow[1].text(), "::1");
  EXPECT_EQ(config.queue.directory, "/var/spool/relayd");
  EXPECT_EQ(config.queue.lifetime, 120h);
  EXPECT_EQ(config.limits.message_size, 50_MiB);
  EXPECT_EQ(config.log.format, LogFormat::automatic);
  EXPECT_EQ(config.file, "test.yaml");
  EXPECT_EQ(config.upstreams[0].host, "smtp.example.net");
  EXPECT_THAT(config.upstreams[0].ports, IsEmpty());
  EXPECT_FALSE(config.upstreams[0].tls.has_value());
  EXPECT_FALSE(config.upstreams[0].retry_next_on.has_value());
}

TEST(Load, TheMachinesNameIsNeverLocalhost) {
  const Config config = good("upstreams: {box: {sandbox: {directory: /captured}}}");
  EXPECT_FALSE(config.hostname.empty());
  EXPECT_NE(config.hostname, "localhost");
}

TEST(Load, NamesInUnicodeBecomeWhatDnsHas) {
  const Config config = good(
      "hostname: Mail.BÜCHER.example\norigin: bücher.example\nupstreams:\n"
      "  office: {host: smtp.Bücher.example, tls_options: {name: bücher.example}}\n");
  EXPECT_EQ(config.hostname, "mail.xn--bcher-kva.example");
  EXPECT_EQ(config.origin, "xn--bcher-kva.example");
  EXPECT_EQ(config.upstreams[0].host, "smtp.xn--bcher-kva.example");
  EXPECT_EQ(config.upstreams[0].tls_options.name, "xn--bcher-kva.example");
}

TEST(Load, ReadsEveryFieldOfAListener) {
  Folder folder;
  const std::string certificate = folder.write("chain.pem", "");
  const Config config = good(R"(
listen:
  - address: 0.0.0.0:2525
    tls: starttls
    auth: required
  - {address: "unix:/run/relayd/smtp.sock", auth: accept-any, provider_headers: true}
  - {address: "[2001:db8::1]:25", allow: [10.0.0.0/8, "2001:db8::/32"]}
  - {address: "127.0.0.1:0", allow: 127.0.0.1}
tls: {certificates: [{certificate: )" +
                             certificate + ", key: " + certificate + R"(}]}
accounts:
  - {name: webapp, password: hunter2, may_send_as: ["@example.com", bot@example.org]}
)");
  ASSERT_EQ(config.listeners.size(), 4u);
  EXPECT_EQ(config.listeners[0].port, 2525);
  EXPECT_EQ(config.listeners[0].tls, TlsMode::starttls);
  EXPECT_EQ(config.listeners[0].auth, ListenerAuth::required);
  EXPECT_EQ(config.listeners[0].where.line, 3);
  EXPECT_EQ(config.listeners[1].unix_path, "/run/relayd/smtp.sock");
  EXPECT_EQ(config.listeners[1].host, "");
  EXPECT_EQ(config.listeners[1].auth, ListenerAuth::accept_any);
  EXPECT_FALSE(config.listeners[0].provider_headers);
  EXPECT_TRUE(config.listeners[1].provider_headers);
  EXPECT_EQ(config.listeners[2].host, "2001:db8::1");
  EXPECT_EQ(config.listeners[2].allow[1].text(), "2001:db8::/32");
  EXPECT_EQ(config.listeners[3].port, 0);
  ASSERT_EQ(config.listeners[3].allow.size(), 1u);
  EXPECT_EQ(config.certificates[0].certificate, certificate);
  EXPECT_EQ(config.accounts[0].password.literal.reveal(), "hunter2");
  EXPECT_THAT(config.accounts[0].may_send_as, ElementsAre("@example.com", "bot@example.org"));
}

TEST(Load, SeveralListenersMayLeaveThePortToTheKernel) {
  EXPECT_EQ(good("listen: [{address: 127.0.0.1:0}, {address: 127.0.0.1:0}]").listeners.size(), 2u);
}

TEST(Load, AnEmptyAllowAllowsNobody) {
  EXPECT_THAT(good("listen: [{address: 127.0.0.1:25, allow: []}]").listeners[0].allow, IsEmpty());
}

TEST(Load, ReadsNumbersDurationsAndSizes) {
  const Config config = good(R"(
limits: {message_size: 64KiB, recipients: 7, command_timeout: 90s, data_timeout: 5m, bare_newlines: reject}
queue:
  directory: /spool
  lifetime: 4h
  retry: {first: 1500ms, factor: 1.5, maximum: 2h, jitter: 0}
  reserve: 1000
  keep_failed: 2d
  require_persistent: true
  in_doubt: hold
log: {format: json, level: warning, addresses: masked}
)");
  EXPECT_EQ(config.limits.message_size, 64_KiB);
  EXPECT_EQ(config.limits.recipients, 7u);
  EXPECT_EQ(config.limits.command_timeout, 90s);
  EXPECT_EQ(config.limits.data_timeout, 5min);
  EXPECT_EQ(config.limits.bare_newlines, Limits::BareNewlines::reject);
  EXPECT_EQ(config.queue.directory, "/spool");
  EXPECT_EQ(config.queue.lifetime, 4h);
  EXPECT_EQ(config.queue.retry.first, 1500ms);
  EXPECT_EQ(config.queue.retry.factor, 1.5);
  EXPECT_EQ(config.queue.retry.maximum, 2h);
  EXPECT_EQ(config.queue.retry.jitter, 0.0);
  EXPECT_EQ(config.queue.reserve, 1000_B);
  EXPECT_EQ(config.queue.keep_failed, 48h);
  EXPECT_TRUE(config.queue.require_persistent);
  EXPECT_EQ(config.queue.in_doubt, Queue::InDoubt::hold);
  EXPECT_EQ(config.log.format, LogFormat::json);
  EXPECT_EQ(config.log.level, LogLevel::warning);
  EXPECT_EQ(config.log.addresses, LogAddresses::masked);
}

TEST(Load, ReadsEveryFieldOfAnUpstream) {
  const Config config = good(R"(
upstreams:
  zeta:
    provider: mailgun
    region: eu
  office:
    host: smtp.example.net
    port: [465, 587]
    tls: implicit
    tls_options: {name: mail.example.net, min_version: "1.3"}
    auth: [SCRAM-SHA-256, plain]
    username: relay
    password: {command: [/bin/get, office]}
    next_password: {command: [/bin/get, next]}
    pipelining: transaction
    limits: {rate: [14/s, 30 messages/m], quota: 50000/24h, quota_total: [9/day, 9 messages/month], recipients_per_connection: 40, connections: 3, connections_total: 9, messages_per_connection: 50, recipients_per_message: 20,
             message_size: 25MB, idle: 30s}
    retry_next_on: [connect, tls]
  local:
    host: "[::1]"
    port: 2525
    tls: none
    username: relay
    password: secret
)");
  ASSERT_EQ(config.upstreams.size(), 3u);
  EXPECT_EQ(config.upstreams[0].name, "zeta");
  EXPECT_EQ(config.upstreams[0].provider, "mailgun");
  EXPECT_EQ(config.upstreams[0].region, "eu");
  EXPECT_FALSE(config.upstreams[0].host.has_value());

  const Upstream& office = config.upstreams[1];
  EXPECT_EQ(&office, config.upstream("office"));
  EXPECT_EQ(config.upstream("nowhere"), nullptr);
  EXPECT_EQ(office.where.line, 6);
  EXPECT_EQ(office.where.column, 3);
  EXPECT_THAT(office.ports, ElementsAre(465, 587));
  EXPECT_EQ(office.tls, TlsMode::implicit);
  EXPECT_TRUE(office.tls_options.verify);
  EXPECT_EQ(office.tls_options.name, "mail.example.net");
  EXPECT_EQ(office.tls_options.min_version, TlsVersion::tls1_3);
  EXPECT_THAT(office.auth, ElementsAre(sasl::Mechanism::scram_sha_256, sasl::Mechanism::plain));
  EXPECT_EQ(office.username, "relay");
  EXPECT_EQ(office.password.kind, SecretSource::Kind::command);
  EXPECT_THAT(office.password.command, ElementsAre("/bin/get", "office"));
  EXPECT_EQ(office.limits.connections, 3u);
  EXPECT_EQ(office.limits.connections_total, 9u);
  EXPECT_EQ(office.limits.messages_per_connection, 50u);
  EXPECT_EQ(office.limits.recipients_per_message, 20u);
  EXPECT_EQ(office.limits.message_size, Bytes{25'000'000});
  EXPECT_EQ(office.limits.idle, 30s);
  EXPECT_THAT(office.limits.rate.value(), ElementsAre(Rate{14, 1s}, Rate{30, 1min, Counted::messages}));
  EXPECT_THAT(office.limits.quota.value(), ElementsAre(Quota{50'000, Quota::Period::sliding, 24h}));
  EXPECT_THAT(
      office.limits.quota_total.value(),
      ElementsAre(Quota{9, Quota::Period::day}, Quota{9, Quota::Period::month, {}, Counted::messages}));
  EXPECT_EQ(office.limits.recipients_per_connection, 40u);
  EXPECT_EQ(office.pipelining, Pipelining::transaction);
  EXPECT_THAT(office.next_password.command, ElementsAre("/bin/get", "next"));
  EXPECT_EQ(office.retry_next_on, (smtp::ReplyClasses{smtp::ReplyClass::connect, smtp::ReplyClass::tls}));
  EXPECT_EQ(config.upstreams[2].host, "::1");
  EXPECT_THAT(config.upstreams[2].ports, ElementsAre(2525));
}

TEST(Load, ReadsEveryFieldOfASenderRule) {
  const Config config = good(R"(
upstreams:
  one: {host: smtp.example.net}
  two: {provider: mailgun}
senders:
  - {match: Billing@Example.com, upstream: [one, two]}
  - match: "@*.example.org"
    upstream: two
    username: postmaster@example.org
    password: secret
    next_password: other
  - {match: "*", reject: "550 5.7.1 Not from here"}
)");
  ASSERT_EQ(config.senders.size(), 3u);
  EXPECT_EQ(config.senders[0].match, "Billing@Example.com");
  EXPECT_THAT(config.senders[0].upstreams,
              ElementsAre(Field(&RuleUpstream::name, "one"), Field(&RuleUpstream::name, "two")));
  EXPECT_FALSE(config.senders[0].upstreams[0].username);
  EXPECT_EQ(config.senders[1].username, "postmaster@example.org");
  EXPECT_EQ(config.senders[1].password.literal.reveal(), "secret");
  EXPECT_EQ(config.senders[1].next_password.literal.reveal(), "other");
  EXPECT_EQ(config.senders[1].where.line, 7);
  EXPECT_THAT(config.senders[2].upstreams, IsEmpty());
  EXPECT_EQ(config.senders[2].reject, "550 5.7.1 Not from here");
}

TEST(Load, ReadsAnAccountBesideAnUpstreamOfARule) {
  const Config config = good(R"(
upstreams:
  one: {host: smtp.example.net}
  two: {provider: mailgun}
senders:
  - match: "*"
    upstream:
      - name: one
        username: shop-at-one
        password: secret
        next_password: {command: [/bin/get, next]}
      - two
  - match: "@example.org"
    upstream: {name: two, username: postmaster@example.org, password: other}
  - match: "@example.net"
    upstream: [{name: one}]
    username: net
    password: third
)");
  ASSERT_EQ(config.senders.size(), 3u);
  const std::vector<RuleUpstream>& both = config.senders[0].upstreams;
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].name, "one");
  EXPECT_EQ(both[0].username, "shop-at-one");
  EXPECT_EQ(both[0].password.literal.reveal(), "secret");
  EXPECT_THAT(both[0].next_password.command, ElementsAre("/bin/get", "next"));
  EXPECT_EQ(both[0].where.line, 8);
  EXPECT_EQ(both[1].name, "two");
  EXPECT_FALSE(both[1].username);
  EXPECT_FALSE(both[1].password.given());
  EXPECT_EQ(both[1].where.line, 12);
  ASSERT_EQ(config.senders[1].upstreams.size(), 1u);
  EXPECT_EQ(config.senders[1].upstreams[0].username, "postmaster@example.org");
  ASSERT_EQ(config.senders[2].upstreams.size(), 1u);
  EXPECT_EQ(config.senders[2].username, "net");
}

TEST(Load, ReadsHeaderRulesInEachOfTheirPlaces) {
  const Config config = good(R"(
headers:
  remove: [Bcc, "X-PHP-*"]
  set: {X-Host: app-1, Subject: Grüße}
  default: {Auto-Submitted: auto-generated}
  subject_prefix: "[t] "
  received: masked
upstreams: {office: {host: smtp.example.net, headers: {remove: User-Agent}}}
senders: [{match: "*", upstream: office, headers: {received: full}}]
)");
  const HeaderRules& general = config.changes.headers;
  EXPECT_THAT(general.remove, ElementsAre("Bcc", "X-PHP-*"));
  ASSERT_EQ(general.set.size(), 2u);
  EXPECT_EQ(general.set[0].name, "X-Host");
  EXPECT_EQ(general.set[0].value, "app-1");
  EXPECT_EQ(general.set[1].value, "Grüße");
  ASSERT_EQ(general.set_missing.size(), 1u);
  EXPECT_EQ(general.set_missing[0].name, "Auto-Submitted");
  EXPECT_EQ(general.subject_prefix, "[t] ");
  EXPECT_EQ(general.received, ReceivedForm::masked);
  EXPECT_THAT(config.upstreams[0].changes.headers.remove, ElementsAre("User-Agent"));
  EXPECT_EQ(config.senders[0].changes.headers.received, ReceivedForm::full);
  EXPECT_TRUE(good("{headers: }").changes.headers.empty());
}

TEST(Load, RelativePathsStartAtTheFilesFolder) {
  Folder folder;
  folder.write("ca.pem", "");
  folder.write("secret", "hunter2\n");
  const std::string file = folder.write("relayd.yaml", R"(
queue: {directory: spool}
upstreams:
  office: {host: h, tls_options: {ca_file: ca.pem}, username: u, password: {file: ./secret}}
  box: {sandbox: {directory: ./captured}}
)",
                                        0644);
  const Loaded loaded = load_file(file, {});
  ASSERT_TRUE(loaded.config) << lines(loaded.errors);
  EXPECT_EQ(loaded.config->file, file);
  EXPECT_EQ(loaded.config->queue.directory, folder.path() / "spool");
  EXPECT_EQ(loaded.config->upstreams[0].tls_options.ca_file, folder.path() / "ca.pem");
  EXPECT_EQ(loaded.config->upstreams[0].password.read()->reveal(), "hunter2");
  EXPECT_EQ(loaded.config->upstreams[1].sandbox_directory, folder.path() / "captured");
}

TEST(Load, AnEmptyListOfLimitsIsOne) {
  const Config config = good("upstreams: {a: {host: h, limits: {rate: [], quota: }}, b: {host: h}}");
  EXPECT_EQ(config.upstreams[0].limits.rate, std::vector<Rate>());
  EXPECT_EQ(config.upstreams[0].limits.quota, std::vector<Quota>());
  EXPECT_EQ(config.upstreams[1].limits.rate, std::nullopt);
}

TEST(Load, ExternalNeedsNoPassword) {
  EXPECT_EQ(errors("upstreams: {a: {host: h, auth: external}}"), "");
  EXPECT_EQ(errors("upstreams: {a: {host: h, auth: [EXTERNAL], username: relay}}"), "");
  EXPECT_THAT(errors("upstreams: {a: {host: h, auth: [external, plain], username: relay}}"),
              HasSubstr("a username needs a password"));
}

TEST(Load, AnUpstreamThatNoRuleUsesIsAWarning) {
  const Loaded loaded = load(base + "log:\n");
  EXPECT_EQ(lines(loaded.warnings), "");
  const Loaded unused = load("upstreams:\n  office: {host: h}\n");
  EXPECT_TRUE(unused.config);
  EXPECT_EQ(lines(unused.warnings),
            "test.yaml:1:1: no sender rule: all mail will be refused\n"
            "test.yaml:2:3: no rule uses the upstream 'office'\n");
}

TEST(Load, AComplaintIsOneLineWhateverItQuotes) {
  const std::string text = errors("\"new\\nline\\e[2J\": 1\n");
  EXPECT_THAT(text, HasSubstr("unknown key 'new?line?[2J'"));
}

TEST(Load, AFileThatCannotBeReadSaysWhy) {
  Folder folder;
  const Loaded missing = load_file(folder.path() / "none.yaml", {});
  EXPECT_FALSE(missing.config);
  EXPECT_THAT(lines(missing.errors), HasSubstr("No such file or directory"));
  EXPECT_THAT(lines(load_file(folder.path(), {}).errors), HasSubstr("Is a directory"));
}

TEST(Load, AFileOfMoreThan16MiBIsRefused) {
  Folder folder;
  const std::string file = folder.write("relayd.yaml", std::string((16 << 20) + 1, '#'));
  EXPECT_THAT(lines(load_file(file, {}).errors), HasSubstr("has more than 16777216 octets"));
}

TEST(Load, ASecretInClearNeedsAFileThatNobodyElseMayRead) {
  Folder folder;
  const std::string text = "upstreams:\n  a: {host: h, username: u, password: hunter2}\n";
  EXPECT_TRUE(load_file(folder.write("private.yaml", text, 0600), {}).config);
  for (const mode_t mode : {0640, 0604, 0644}) {
    const Loaded loaded = load_file(folder.write("open.yaml", text, mode), {});
    EXPECT_FALSE(loaded.config);
    EXPECT_THAT(lines(loaded.errors), HasSubstr(":2:39: a secret in clear, in a file that others may read"));
    EXPECT_THAT(lines(loaded.errors), testing::Not(HasSubstr("hunter2")));
  }
}

TEST(Load, WithoutSecretsNothingOutsideIsLookedAt) {
  Folder folder;
  const std::string file = folder.write("open.yaml", R"(
accounts: [{name: ann, password: {env: NOT_SET}}]
tls: {certificates: [{certificate: none.pem, key: "${NOT_SET}/key.pem"}]}
upstreams:
  a: {host: h, username: u, password: hunter2, next_password: {file: "${NOT_SET}/secret"}}
)",
                                        0644);
  EXPECT_FALSE(load_file(file, {}).config);
  const Loaded loaded = load_file(file, {}, {.secrets = false});
  ASSERT_TRUE(loaded.config) << lines(loaded.errors);
  EXPECT_EQ(loaded.config->upstreams[0].next_password.name, "${NOT_SET}/secret");
  EXPECT_THAT(
      lines(load_file(folder.write("b.yaml", "hostname: ${NOT_SET}\n"), {}, {.secrets = false}).errors),
      HasSubstr("the variable NOT_SET is not set"));
}

TEST(Load, AFileThatOthersMayWriteIsRefused) {
  Folder folder;
  for (const mode_t mode : {0620, 0602, 0666})
    EXPECT_THAT(lines(load_file(folder.write("relayd.yaml", "hostname: a.example\n", mode), {}).errors),
                HasSubstr("others may write it"));
}

TEST(Load, ASecretFromAVariableIsNotInTheFile) {
  Folder folder;
  const auto with_password = [&](const std::string& password) {
    const std::string text = "upstreams:\n  a: {host: h, username: u, password: \"" + password + "\"}\n";
    return load_file(folder.write("open.yaml", text, 0644), {{"SECRET", "hunter2"}});
  };
  ASSERT_TRUE(with_password("${SECRET}").config);
  EXPECT_EQ(with_password("${SECRET}").config->upstreams[0].password.literal.reveal(), "hunter2");
  EXPECT_TRUE(with_password("${SECRET:-fallback}").config);
  EXPECT_FALSE(with_password("${OTHER:-fallback}").config);
  EXPECT_FALSE(with_password("x${SECRET}").config);
  EXPECT_FALSE(with_password("${SECRET}x").config);
}

TEST(Load, VariablesAreReplacedInsideValues) {
  const Environment environment = {{"NAME", "mail"}, {"PORT", "2525"}, {"EMPTY", ""}, {"LIST", "[a, b]"}};
  const Config config = good(R"(
hostname: ${NAME}.example.${TLD:-com}
upstreams:
  office: {host: "h", port: "${PORT}", username: "a$$b $c $", password: "${LIST}", region: "${EMPTY:-eu}", provider: x}
)",
                             environment);
  EXPECT_EQ(config.hostname, "mail.example.com");
  EXPECT_THAT(config.upstreams[0].ports, ElementsAre(2525));
  EXPECT_EQ(config.upstreams[0].username, "a$b $c $");
  EXPECT_EQ(config.upstreams[0].password.literal.reveal(), "[a, b]");
  EXPECT_EQ(config.upstreams[0].region, "eu");
}

TEST(Load, VariablesAreNotReplacedInKeys) {
  EXPECT_EQ(errors("${KEY}: x", {{"KEY", "hostname"}}), "test.yaml:1:1: unknown key '${KEY}'\n");
}

TEST(Load, AnAliasIsACopy) {
  const Config config = good(R"(
upstreams:
  one: {host: a, limits: &limits {connections: 4}}
  two: {host: b, limits: *limits}
)");
  EXPECT_EQ(config.upstreams[1].limits.connections, 4u);
}

TEST(Load, NumbersThatAreTextStayText) {
  const Config config = good("upstreams: {a: {host: h, username: 007, password: no}}");
  EXPECT_EQ(config.upstreams[0].username, "007");
  EXPECT_EQ(config.upstreams[0].password.literal.reveal(), "no");
}

TEST(Load, AnEmptyFileAndEmptySectionsAreDefaults) {
  for (const char* const text :
       {"", "# nothing\n", "limits:\nqueue:\n  retry:\nlisten:\nsenders:\nupstreams:\ntls:\n"}) {
    const Config config = good(text);
    EXPECT_EQ(config.listeners.size(), 2u);
    EXPECT_EQ(config.limits.recipients, 1000u);
  }
}

TEST(Load, SigningKeysAreReadInLowerCase) {
  const Folder folder;
  const std::string key = folder.write("s1.pem", "");
  const Config config =
      good("hostname: mail.example.com\ndkim:\n  - {domain: Example.com, selector: S1, key: " + key +
           "}\n  - {domain: example.com, selector: s2.x, key: " + key + ", expires_after: 14d}\n");
  ASSERT_EQ(config.dkim.size(), 2u);
  EXPECT_EQ(config.dkim[0].domain, "example.com");
  EXPECT_EQ(config.dkim[0].selector, "s1");
  EXPECT_EQ(config.dkim[0].key, key);
  EXPECT_FALSE(config.dkim[0].expires_after);
  EXPECT_EQ(config.dkim[1].expires_after, std::chrono::hours(14 * 24));
  EXPECT_EQ(config.dkim[1].where.line, 4);
}

TEST(Load, ManyRulesLoad) {
  std::string text = "upstreams: {office: {host: h}}\nsenders:\n";
  for (int i = 0; i < 20'000; ++i)
    text += "  - {match: user" + std::to_string(i) + "@example.com, upstream: office}\n";
  EXPECT_EQ(good(text).senders.size(), 20'000u);
}

}  // namespace
}  // namespace relayd::config
