// The command line of the commands that set relayd up, and try it.
#include "setup_commands.hpp"

#include "shared/config/value.hpp"

namespace relayd::command {

std::chrono::milliseconds parse_duration(const char* option, const std::string& text) {
  const Result<std::chrono::milliseconds> parsed = config::parse_duration(text);
  if (!parsed) throw CLI::ValidationError(option, parsed.error());
  return *parsed;
}

namespace {

// Whom DNS is asked by, where `asks` has it asked.
void add_server(CLI::App* action, Options& options, CLI::Option* asks) {
  action
      ->add_option("--server", options.server,
                   "Ask this DNS server, as ADDRESS or ADDRESS:PORT; default: those of RELAYD_DNS, else of "
                   "/etc/resolv.conf")
      ->type_name("SERVER")
      ->needs(asks);
}

}  // namespace

// relayd demo, relayd presets
void add_demo(CLI::App& app, Options& options, int& status) {
  CLI::App* demo = app.add_subcommand(
      "demo", "Three senders through three accounts of two providers, all inside this process");
  demo->add_flag("--once", options.once, "Send, show the table, and end");
  demo->footer(
      "Example: relayd demo --once\n"
      "Exit codes: 0 every message arrived at the right account, 1 one did not");
  demo->callback([&] { status = command::demo(options); });

  CLI::App* presets =
      app.add_subcommand("presets", "The providers that `provider:` can name, and what is known of them");
  presets->add_flag("--markdown", options.markdown, "All that is known, as the page docs/providers.md");
  presets->footer("Example: relayd presets\nExit codes: 0 printed");
  presets->callback([&] { status = command::presets(options); });
}

// relayd sandbox PROVIDER
void add_sandbox(CLI::App& app, Options& options, int& status) {
  CLI::App* sandbox = app.add_subcommand(
      "sandbox", "A fake of a mail provider on this machine, to test against, with the errors that it knows");
  sandbox->add_option("provider", options.provider, "Which one, such as ses or gmail")
      ->type_name("PROVIDER")
      ->required();
  sandbox->add_option("--listen", options.listen, "ADDRESS:PORT; default: a free port of 127.0.0.1")
      ->type_name("ADDRESS");
  sandbox
      ->add_option("--behaviour", options.behaviour,
                   "What goes wrong, such as throttle or refuse-password; `list` shows all; default: ok")
      ->type_name("BEHAVIOUR");
  sandbox->add_option("--times", options.times, "How often it goes wrong; default: always")
      ->type_name("NUMBER");
  sandbox->add_option("--tls", options.tls, "starttls or implicit; default: as its usual port has it")
      ->check(CLI::IsMember({"starttls", "implicit"}));
  sandbox->add_option("--region", options.region, "Of a provider with regions")->type_name("REGION");
  sandbox->add_option("--directory", options.directory, "Keep what it takes there, as .eml files")
      ->type_name("DIRECTORY");
  sandbox
      ->footer(
          "It prints what to configure, then a line for each message or refusal, until Ctrl-C or SIGTERM.\n"
          "Example: relayd sandbox ses --region eu-west-1 --behaviour throttle --listen 127.0.0.1:2587\n"
          "Exit codes: 0 it was stopped, 64 there is no such provider, region or behaviour, 69 it cannot "
          "listen "
          "there or keep what it takes")
      ->callback([&] { status = command::sandbox(options); });
}

// relayd dkim keygen, relayd dns
void add_signing(CLI::App& app, Options& options, int& status) {
  CLI::App* dkim = app.add_subcommand("dkim", "Keys that sign mail");
  dkim->require_subcommand(1);
  CLI::App* keygen = dkim->add_subcommand("keygen", "Make a key, and print its record for DNS");
  keygen->add_option("--domain", options.domain, "The domain that it signs for")
      ->type_name("DOMAIN")
      ->required();
  keygen->add_option("--selector", options.selector, "Its name below the domain, such as s2026")
      ->type_name("NAME")
      ->required();
  keygen->add_option("--type", options.key_type, "rsa (2048 bits, the default) or ed25519")
      ->check(CLI::IsMember({"rsa", "ed25519"}));
  keygen
      ->add_option("-o,--output", options.output,
                   "The file, which must not be there yet; default: SELECTOR.DOMAIN.pem here")
      ->type_name("FILE");
  keygen->footer(
      "Example: relayd dkim keygen --domain example.com --selector s2026 -o /etc/relayd/dkim/s2026.pem\n"
      "Exit codes: 0 made, 64 an option makes no sense, 73 the file is there or cannot be made");
  keygen->callback([&] { status = command::dkim_keygen(options); });

  CLI::App* dns = app.add_subcommand("dns", "The DNS records that mail from a domain needs");
  dns->add_option("-c,--config", options.config, "Configuration file")->type_name("FILE");
  dns->add_option("domain", options.domain, "The domain")->type_name("DOMAIN")->required();
  CLI::Option* check = dns->add_flag("--check", options.compare, "Compare them with what DNS says");
  add_server(dns, options, check);
  dns->add_flag("--json", options.json, "Lines of JSON, for scripts");
  dns->footer(
      "The records are those of DKIM, SPF and DMARC. Without --check no DNS is asked.\n"
      "Example: relayd dns example.com --check\n"
      "Exit codes: 0 all is well, or only noted, 1 something is missing or wrong, 69 DNS did not tell all, "
      "78 the "
      "configuration has an error");
  dns->callback([&] { status = command::dns(options); });
}

// relayd doctor
void add_doctor(CLI::App& app, Options& options, int& status) {
  CLI::App* doctor = app.add_subcommand(
      "doctor", "Try the way to each upstream and account, and say what is wrong; no message is sent");
  doctor->add_option("-c,--config", options.config, "Configuration file")->type_name("FILE");
  doctor->add_option("upstream", options.upstreams, "Only these upstreams")->type_name("UPSTREAM");
  doctor
      ->add_option("--sender", options.sender,
                   "Only where mail of this address goes; the server is asked whether it may")
      ->type_name("ADDRESS");
  doctor
      ->add_option_function<std::string>(
          "--timeout",
          [&options](const std::string& text) { options.timeout = parse_duration("--timeout", text); },
          "How long a connection may take, such as 10s; default: 30s")
      ->type_name("TIME");
  CLI::Option* dns =
      doctor->add_flag("--dns", options.dns,
                       "Also what DNS says: whether mail of each sender's domain passes SPF, DKIM and DMARC");
  add_server(doctor, options, dns);
  doctor->add_flag("--json", options.json, "Lines of JSON, for scripts");
  doctor
      ->footer(
          "Example: relayd doctor --sender app@example.com\n"
          "Exit codes: 0 all is well but for warnings, 64 there is no such upstream or sender, 69 something "
          "fails, 78 the "
          "configuration has an error")
      ->callback([&] { status = command::doctor(options); });
}

// relayd init
void add_init(CLI::App& app, InitOptions& options, int& status) {
  CLI::App* init = app.add_subcommand(
      "init", "Write a first configuration and check it; on a terminal it asks, and overwrites nothing");
  init->add_option("--provider", options.provider, "The provider of mail, such as ses or office365")
      ->type_name("PROVIDER");
  init->add_option("--region", options.region, "Its region, such as eu-west-1")->type_name("REGION");
  init->add_option("--host", options.host, "Instead of a provider: the host name of a mail server")
      ->type_name("HOST");
  init->add_option("--port", options.port, "Of the host; default: by --tls")->type_name("PORT");
  init->add_option("--tls", options.tls, "Of the host: starttls (the default) or implicit")
      ->check(CLI::IsMember({"starttls", "implicit"}));
  init->add_option("--username", options.username, "The account there; \"\": none")->type_name("NAME");
  init->add_option("--password-file", options.password_file, "The file that has the password")
      ->type_name("FILE");
  init->add_option("--password-env", options.password_env, "The environment variable that has it")
      ->type_name("VARIABLE");
  init->add_flag("--password-stdin", options.password_stdin,
                 "It is on standard input, and goes to a file of its own (mode 0600)");
  init->add_option("--sender", options.senders, "Who sends: an address, @domain or *; again for more")
      ->type_name("PATTERN");
  init->add_option("--listen", options.listen, "Where programs hand in mail; default: 127.0.0.1:25")
      ->type_name("ADDRESS");
  init->add_option("--queue", options.queue, "The directory of the queue; default: /var/spool/relayd")
      ->type_name("DIRECTORY");
  init->add_option("-o,--output", options.output,
                   "The file, which must not be there yet; default: /etc/relayd/relayd.yaml")
      ->type_name("FILE");
  init->add_flag("--from-env", options.from_env,
                 "Print the file that the RELAYD_* variables mean, or write it with -o");
  init->footer(
          "On a terminal it asks for what is missing and offers `relayd doctor`. Secrets that the variables "
          "of "
          "--from-env name stay in theirs.\n"
          "Example: relayd init --provider ses --region eu-west-1 --username AKIA1 --password-stdin <secret\n"
          "Exit codes: 0 written and checked, 64 something is missing or wrong, 73 there is such a file, 78 "
          "its check failed")
      ->callback([&] { status = command::init(options); });
}

// relayd import-postfix
void add_import(CLI::App& app, ImportOptions& options, int& status) {
  CLI::App* postfix = app.add_subcommand(
      "import-postfix", "Write a configuration that does what Postfix's does, and say what it does not");
  postfix
      ->add_option("directory", options.directory, "Where main.cf and master.cf are; default: /etc/postfix")
      ->type_name("DIRECTORY");
  postfix
      ->add_option("-o,--output", options.output,
                   "The file, which must not be there yet; default: /etc/relayd/relayd.yaml. Passwords go to "
                   "files beside it (mode 0600)")
      ->type_name("FILE");
  postfix
      ->footer(
          "Example: relayd import-postfix /etc/postfix -o /etc/relayd/relayd.yaml\n"
          "Exit codes: 0 all is carried over, 1 something was left out, 65 Postfix's files cannot be read, "
          "73 there is such a file, 78 the check of what was written failed")
      ->callback([&] { status = command::import_postfix(options); });
}

}  // namespace relayd::command
