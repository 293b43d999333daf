// The command line of relayd: which command, with which options. Those of commands that ask the daemon are in
// daemon_commands.hpp, of others in setup_commands.hpp.
#include <fmt/format.h>
#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <nlohmann/json.hpp>
#include <sstream>

#include "commands.hpp"
#include "daemon_commands.hpp"
#include "help.hpp"
#include "init.hpp"
#include "sendmail.hpp"
#include "setup_commands.hpp"
#include "shown.hpp"

namespace {

// A number alone is seconds, as timeout(1) and systemd take it; 0 waits for nothing.
std::chrono::milliseconds parse_grace(const std::string& text) {
  const bool plain = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  if (plain && text.find_first_not_of('0') == std::string::npos) return {};
  return relayd::command::parse_duration("--grace", plain ? text + "s" : text);
}

// relayd run, relayd check
void add_run(CLI::App& app, relayd::command::Options& options, int& status) {
  const auto with_config = [&options](CLI::App* sub) {
    sub->add_option("-c,--config", options.config,
                    "Configuration file; default: $RELAYD_CONFIG, then /etc/relayd/relayd.yaml, then "
                    "`RELAYD_*` variables")
        ->type_name("FILE");
    return sub;
  };
  CLI::App* run =
      with_config(app.add_subcommand("run", "Run the relay in the foreground; logs go to standard error"));
  run->add_option_function<std::string>(
         "--grace", [&options](const std::string& text) { options.grace = parse_grace(text); },
         "How long what is under way may take after SIGTERM, such as 20s (the default) or 2m")
      ->type_name("TIME");
  run->footer(
         "Example: relayd run -c /etc/relayd/relayd.yaml --grace 1m\n"
         "Exit codes: 0 stopped in order, 71 it cannot listen or open the queue, 78 the configuration has an "
         "error")
      ->callback([&] { status = relayd::command::run(options); });

  CLI::App* check =
      with_config(app.add_subcommand("check", "Read and check the configuration and all that it points to"));
  check
      ->add_option("--as", options.as,
                   "Read it and its secrets as this user; default: whom root becomes for the daemon")
      ->type_name("USER");
  check
      ->footer(
          "It checks all that `run` would, and prints each error as FILE:LINE:COLUMN: text.\n"
          "Example: relayd check -c /etc/relayd/relayd.yaml --as relayd\n"
          "Exit codes: 0 the configuration is sound, 78 it has an error")
      ->callback([&] { status = relayd::command::check(options); });
}

// relayd explain
void add_explain(CLI::App& app, relayd::command::Options& options, int& status) {
  CLI::App* explain = relayd::command::add_place(
      app.add_subcommand("explain", "Show where mail of a sender goes, as whom, and which rule says so"),
      options);
  explain->add_flag("--live", options.live, "Also how each lane on the way stands in the running daemon");
  explain->add_option("--sender", options.sender, "Envelope sender; empty for the null sender")
      ->type_name("ADDRESS")
      ->required();
  explain->add_option("--recipient", options.recipient, "Envelope recipient: whom it stands for")
      ->type_name("ADDRESS");
  explain->add_option("--client", options.client, "Who hands the message in: an address, or uid:NUMBER")
      ->type_name("CLIENT");
  explain->add_option("--account", options.account, "As whom the client has logged in")->type_name("NAME");
  explain->add_option("--listener", options.listener, "The name of the listener that the message comes to")
      ->type_name("NAME");
  explain
      ->add_option("--message", options.message,
                   "The file of a message: what of its header changes, and who signs it")
      ->type_name("FILE");
  explain->footer(
      "It shows the rule, the upstreams in order, account, TLS and limits; whom the recipient stands for, "
      "with "
      "aliases, copies and staging; and what leaves by each upstream. The last line says where `access` "
      "rejects "
      "the sender. It needs no daemon but for --live, and shows no password.\n"
      "Example: relayd explain --sender app@example.com --recipient ann@example.com\n"
      "Exit codes: 0 there is a way, 64 an option makes no sense, 66 the message cannot be read, 67 no rule "
      "fits "
      "or it rejects, 69 no daemon answers --live, 78 the configuration has an error");
  explain->callback([&] { status = relayd::command::explain(options); });
}

// The words from `first` on.
std::vector<std::string_view> words(int first, int argc, char** argv) {
  return {argv + std::min(first, argc), argv + argc};
}

// relayd sendmail|mailq|newaliases: all that follows is theirs.
void add_mail_programs(CLI::App& app, int argc, char** argv, int& status) {
  const std::tuple<const char*, const char*, const char*> programs[] = {
      {"sendmail", "Take a message as sendmail(1) does; also as a program of that name",
       "Its options are those of relayd-sendmail(8).\n"
       "Example: relayd sendmail -i -f app@example.com ann@example.com <message\n"
       "Exit codes: 0 taken; the others are those of sysexits.h"},
      {"mailq", "Show what waits in the queue, as Postfix does; also as a program of that name",
       "Example: relayd mailq\nExit codes: 0 shown, 69 no daemon answers, 78 the configuration cannot be "
       "used"},
      {"newaliases", "Check the aliases and have the daemon read them; also as a program of that name",
       "Example: relayd newaliases\n"
       "Exit codes: 0 they are sound, 77 the configuration may not be read, 78 something is wrong"},
  };
  for (const auto& [name, help, footer] : programs) {
    CLI::App* program = app.add_subcommand(name, help)->prefix_command();
    program->set_help_flag();
    program->set_help_all_flag();
    program->footer(footer);
    program->callback([&status, argc, argv, program_name = name] {
      status = relayd::command::mail_program(program_name, words(2, argc, argv));
    });
  }
}

// The exit status of the command that the words name.
int run_command(int argc, char** argv) {
  namespace command = relayd::command;
  const std::string program = argc > 0 ? std::filesystem::path(argv[0]).filename().string() : "";
  if (command::is_mail_program(program)) return command::mail_program(program, words(1, argc, argv));

  command::Options options;
  command::InitOptions init_options;
  command::ImportOptions import_options;
  int status = EX_USAGE;

  CLI::App app{
      "relayd: a mail relay beside your application. It takes mail on localhost, has it safe on disk before "
      "it\n"
      "says 250, and sends it through the right account of the right provider."};
  app.name("relayd");
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Help for every command");
  app.set_version_flag("--version", "relayd " RELAYD_VERSION);
  add_run(app, options, status);
  add_explain(app, options, status);
  command::add_demo(app, options, status);
  command::add_sandbox(app, options, status);
  command::add_probes(app, options, status);

  app.add_subcommand("hash-password",
                     "Turn a password from standard input into what an account may keep instead")
      ->footer(
          "An account has it in `scram_sha_256`.\n"
          "Example: relayd hash-password <password\n"
          "Exit codes: 0 printed, 65 there is no password that can be used")
      ->callback([&] { status = command::hash_password(); });
  command::add_queue(app, options, status);
  command::add_lane(app, options, status);
  command::add_oauth(app, options, status);
  command::add_suppress(app, options, status);
  command::add_signing(app, options, status);
  command::add_doctor(app, options, status);
  command::add_init(app, init_options, status);
  command::add_import(app, import_options, status);
  command::add_history(app, options, status);
  command::add_queue_files(app, options, status);
  add_mail_programs(app, argc, argv, status);
  command::add_status(app, options, status);

  app.add_subcommand("version", "Show version, commit and libraries")
      ->footer("Example: relayd version\nExit codes: 0 printed")
      ->callback([&] { status = command::version(); });
  command::add_help(app, status);
  if (const std::optional<int> answered = command::help(app, words(1, argc, argv))) return *answered;

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, complaint;  // which quotes the command line
    const int code = app.exit(error, out, complaint);
    if (const std::optional<int> answered = command::unknown_option(app, words(1, argc, argv));
        code && answered)
      return *answered;
    fmt::print("{}", out.str());
    fmt::print(stderr, "{}", command::shown_lines(complaint.str()));
    return code == 0 ? EX_OK : EX_USAGE;
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  relayd::command::forget_variables_of_a_caller();
  try {
    return run_command(argc, argv);
  } catch (const nlohmann::json::exception&) {
    fmt::print(stderr, "relayd answers what this command does not understand: are both of one version?\n");
    return EX_UNAVAILABLE;
  } catch (const std::exception& error) {
    fmt::print(stderr, "relayd: {}\n", relayd::command::shown(error.what()));
    return EX_SOFTWARE;
  }
}
