// The command line of relayd: which command, with which options. Those of commands that ask no daemon are in
// setup_commands.hpp.
#include <fmt/format.h>
#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <nlohmann/json.hpp>
#include <sstream>

#include "commands.hpp"
#include "daemon_http.hpp"
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

std::int64_t parse_keep(const std::string& text) {
  return std::chrono::ceil<std::chrono::seconds>(relayd::command::parse_duration("--for", text)).count();
}

// At most one of them is given.
void exclude_each_other(const std::vector<CLI::Option*>& all) {
  for (CLI::Option* const one : all)
    for (CLI::Option* const other : all)
      if (one != other) one->excludes(other);
}

// Where the daemon is that a command asks.
CLI::App* add_place(CLI::App* action, relayd::command::Options& options) {
  action->add_option("-c,--config", options.config, "Configuration file of the daemon");
  action->add_option("--socket", options.socket,
                     "Admin socket of the daemon (default: $RELAYD_ADMIN, then what the configuration says)");
  return action;
}

// The same, or its window over HTTP.
CLI::App* add_daemon(CLI::App* action, relayd::command::Options& options) {
  add_place(action, options);
  CLI::Option* url = action->add_option(
      "--url", options.url,
      "Instead of the socket: the daemon's window, such as https://relay.example:9125; its token "
      "comes from RELAYD_HTTP_TOKEN or RELAYD_HTTP_TOKEN_FILE");
  url->check(relayd::command::fault_of_url);
  for (const char* other : {"--socket", "--config"}) url->excludes(action->get_option(other));
  return action;
}

// relayd run, relayd check
void add_run(CLI::App& app, relayd::command::Options& options, int& status) {
  const auto with_config = [&options](CLI::App* sub) {
    sub->add_option("-c,--config", options.config,
                    "Configuration file (default: $RELAYD_CONFIG, then /etc/relayd/relayd.yaml, then "
                    "RELAYD_* variables)");
    return sub;
  };
  CLI::App* run =
      with_config(app.add_subcommand("run", "Run the relay in the foreground; logs go to standard error"));
  run->add_option_function<std::string>(
      "--grace", [&options](const std::string& text) { options.grace = parse_grace(text); },
      "How long what is under way may take after SIGTERM, such as 20s (the default) or 2m");
  run->callback([&] { status = relayd::command::run(options); });

  with_config(app.add_subcommand("check", "Read and check the configuration and all that it points to"))
      ->callback([&] { status = relayd::command::check(options); });
}

// relayd explain
void add_explain(CLI::App& app, relayd::command::Options& options, int& status) {
  CLI::App* explain = add_place(
      app.add_subcommand("explain", "Show where mail of a sender goes, as whom, and which rule says so"),
      options);
  explain->add_flag("--live", options.live, "Also how each lane on the way stands in the running daemon");
  explain->add_option("--sender", options.sender, "Envelope sender; empty for the null sender")->required();
  explain->add_option("--recipient", options.recipient, "Envelope recipient: whom it stands for");
  explain->add_option("--client", options.client, "Who hands the message in: an address, or uid:NUMBER");
  explain->add_option("--account", options.account, "As whom the client has logged in");
  explain->add_option("--listener", options.listener, "The name of the listener that the message comes to");
  explain->add_option("--message", options.message,
                      "The file of a message: what of its header changes, and who signs it");
  explain->callback([&] { status = relayd::command::explain(options); });
}

// relayd healthcheck, relayd reload
void add_probes(CLI::App& app, relayd::command::Options& options, int& status) {
  add_place(app.add_subcommand("healthcheck", "Say by the exit code whether the daemon is well, for probes"),
            options)
      ->footer(
          "Example: relayd healthcheck || echo not well\n"
          "Exit codes: 0 well, 1 it does not answer, 2 it starts: the queue is being read, 3 it answers, and "
          "takes no mail")
      ->callback([&] { status = relayd::command::healthcheck(options); });

  add_daemon(app.add_subcommand("reload",
                                "Have the daemon read its configuration again, and say whether it was taken"),
             options)
      ->footer(
          "Example: relayd reload && echo taken\n"
          "Exit codes: 0 taken, 78 it has an error and the old one stays, 69 no daemon answers")
      ->callback([&] { status = relayd::command::reload(options); });
}

// relayd status
void add_status(CLI::App& app, relayd::command::Options& options, int& status) {
  CLI::App* show_status = add_daemon(
      app.add_subcommand(
          "status", "The queue and every lane of the running daemon: what is wrong, since when, until when"),
      options);
  exclude_each_other({
      show_status->add_flag("--json", options.json, "One object, for scripts"),
      show_status->add_flag("--metrics", options.metrics, "The metrics, as Prometheus reads them"),
      show_status->add_flag("--check", options.check,
                            "One line for monitoring: what is worst, and since when"),
      show_status->add_flag("--watch", options.watch, "Again every two seconds, until q or Ctrl-C"),
  });
  show_status->add_flag("--trouble", options.trouble, "Only lanes that are in trouble");
  show_status->add_option("--upstream", options.queue.upstream, "Only lanes of this upstream");
  show_status->add_option("--account", options.queue.account, "Only lanes of this user name");
  show_status->footer(
      "Example: relayd status --upstream ses --trouble\n"
      "Exit codes: 0 it answered, 69 no daemon answers, 78 the configuration hides where it is; with "
      "--check 0 all is well, 1 warning, 2 critical");
  show_status->callback([&] { status = relayd::command::status(options); });
}

// relayd queue list|show|retry|hold|release|delete
void add_queue(CLI::App& app, relayd::command::Options& options, int& status) {
  CLI::App* queue =
      app.add_subcommand("queue", "See and change what waits in the queue of the running daemon");
  queue->require_subcommand(1);
  const std::pair<const char*, const char*> actions[] = {
      {"list", "One line a message"},
      {"show", "Envelope, every attempt with its replies, and header of messages"},
      {"retry", "Try now what waits; with --failed, or by id, also what has failed"},
      {"hold", "Keep messages from being sent"},
      {"release", "Send held messages"},
      {"delete", "Remove messages for good; nobody is told, but with --bounce"},
  };
  for (const auto& [name, help] : actions) {
    CLI::App* action = queue->add_subcommand(name, help);
    relayd::watch::Request& request = options.queue;
    add_daemon(action, options);
    action->add_option("id", request.ids, "Messages; none: all that the filters let through");
    action->add_flag("--json", options.json, "Lines of JSON, for scripts");
    if (std::string_view(name) == "retry") {
      action->add_flag("--not-taken", request.not_taken,
                       "The upstream has not taken what is in doubt: it may go anywhere. With ids only");
      action->add_flag("--failed", request.failed,
                       "What has failed, instead of what waits: it gets its failed recipients back");
    }
    if (std::string_view(name) == "delete")
      action->add_flag("--bounce", request.bounce, "Tell their senders, as of mail that failed");
    if (std::string_view(name) == "show") {
      action->add_flag("--body", request.body, "The whole message");
    } else {
      action->add_option("--sender", request.sender, "Only from this address, or @domain");
      action->add_option("--recipient", request.recipient, "Only for this address, or @domain");
      action->add_option("--upstream", request.upstream, "Only what waits for this upstream");
      action->add_option("--state", request.state, "Only these")
          ->check(CLI::IsMember({"waiting", "ready", "held", "failed", "reporting"}));
      if (std::string_view(name) != "list") action->add_flag("--all", request.all, "All messages");
    }
    action->callback([&options, &status, action_name = std::string(name)] {
      options.queue.command = action_name;
      status = relayd::command::queue(options);
    });
  }
}

// relayd lane list|pause|resume
void add_lane(CLI::App& app, relayd::command::Options& options, int& status) {
  CLI::App* lane = app.add_subcommand("lane", "See and steer the lanes of the running daemon");
  lane->require_subcommand(1);
  const std::pair<const char*, const char*> actions[] = {
      {"list", "How each lane stands: an upstream with one account"},
      {"pause", "Send nothing there until it is resumed or the daemon starts again"},
      {"resume", "Go on; what is in trouble is tried at once"},
  };
  for (const auto& [name, help] : actions) {
    CLI::App* action = lane->add_subcommand(name, help);
    relayd::watch::Request& request = options.queue;
    const bool lists = std::string_view(name) == "list";
    add_daemon(action, options);
    action->add_option("upstream", request.upstream, "The lanes of this upstream")->required(!lists);
    action->add_option("--account", request.account, "Only that of this user name");
    action->add_flag("--json", options.json, "Lines of JSON, for scripts");
    action->callback([&options, &status, action_name = std::string(name)] {
      options.queue.command = action_name;
      status = relayd::command::lane(options);
    });
  }
}

// relayd suppress list|add|remove|export|import
void add_suppress(CLI::App& app, relayd::command::Options& options, int& status) {
  CLI::App* suppress = app.add_subcommand(
      "suppress", "Recipients who are refused for a time, since an upstream has said that they do not exist");
  suppress->require_subcommand(1);
  suppress->footer("Example: relayd suppress remove ann@example.com");
  relayd::watch::Request& request = options.queue;
  const auto add = [&](const char* name, const char* help) {
    CLI::App* action = suppress->add_subcommand(name, help);
    add_daemon(action, options);
    if (std::string_view(name) != "export")
      action->add_flag("--json", options.json, "Lines of JSON, for scripts");
    action->callback([&options, &status, action_name = std::string(name)] {
      options.csv = action_name == "export";
      options.queue.command = "suppress_" + (options.csv ? "list" : action_name);
      status = relayd::command::suppress(options);
    });
    return action;
  };
  const auto add_sender = [&request](CLI::App* action, const char* help) {
    action->add_option("--sender", request.sender, help);
  };
  CLI::App* list = add("list", "One line a recipient");
  list->add_option("address", request.recipient, "Only this address, or @domain");
  add_sender(list, "Only for senders of this domain");
  CLI::App* added = add("add", "Refuse a recipient");
  added->add_option("address", request.recipient, "The recipient")->required();
  add_sender(added, "For senders of this domain; default: for all");
  added->add_option_function<std::string>(
      "--for", [&request](const std::string& text) { request.seconds = parse_keep(text); },
      "How long, such as 30d; default: as `suppress.for` says");
  added->add_option("--reason", request.reason, "What clients are told");
  CLI::App* removed = add("remove", "Let mail to a recipient go again");
  removed->add_option("address", request.recipient, "The recipient")->required();
  add_sender(removed, "For senders of this domain; default: for all of them");
  add("export", "All of the list as comma-separated values");
  CLI::App* imported = add("import", "Add the rows of a file: all of them, or none if one is wrong");
  imported->add_option("file", options.file, "As `export` writes it; -: standard input")->required();
}

// relayd queue check|export
void add_queue_files(CLI::App& app, relayd::command::Options& options, int& status) {
  CLI::App* const queue = app.get_subcommand("queue");
  const auto add = [&](const char* name, const char* help, int (*run)(const relayd::command::Options&)) {
    CLI::App* action = queue->add_subcommand(name, help);
    action->add_option("-c,--config", options.config, "Configuration file of the daemon");
    action->add_option("directory", options.directory, "A queue, or a copy of one; default: the daemon's");
    action->callback([&options, &status, run] { status = run(options); });
    return action;
  };
  add("check", "Read a queue that no daemon has, change nothing, and say what of it is not sound",
      relayd::command::queue_check);
  add("export", "Write the messages of a queue that no daemon has as .eml and .json files",
      relayd::command::queue_export)
      ->add_option("--to", options.to, "The folder to write to, which must not be there yet");
}

// relayd oauth login|status
void add_oauth(CLI::App& app, relayd::command::Options& options, int& status) {
  CLI::App* oauth = app.add_subcommand("oauth", "Accounts that log in with OAuth 2");
  oauth->require_subcommand(1);
  CLI::App* login = oauth->add_subcommand("login", "Sign in as the person whose mailbox an upstream uses");
  add_place(login, options);
  login->add_option("upstream", options.upstream, "The upstream")->required();
  login->add_option("--account", options.account, "Its username, where an upstream has several");
  login->add_flag("--browser", options.browser, "By a browser that comes back to this machine");
  login->footer(
      "Example: relayd oauth login office\n"
      "Exit codes: 0 signed in, 77 not signed in");
  login->callback([&] { status = relayd::command::oauth_login(options); });
  CLI::App* show =
      oauth->add_subcommand("status", "Each account: its grant, its sign-in, when its secret ends");
  add_place(show, options);
  show->callback([&] { status = relayd::command::oauth_status(options); });
}

// relayd history
void add_history(CLI::App& app, relayd::command::Options& options, int& status) {
  CLI::App* history = app.add_subcommand(
      "history",
      "What became of messages, also of those that have left: each attempt, reply and provider's id");
  add_daemon(history, options);
  history->add_option(
      "what", options.what,
      "Id, address of a sender or recipient, @domain, Message-ID or provider's id; default: the "
      "last 20 messages");
  history->add_option(
      "--since", options.since,
      "Of which something is told since then: 2h, 3d, 2026-11-20 or 2026-11-20T09:30:00Z; UTC");
  history->add_flag("--failed", options.failed, "Those that failed for a recipient");
  history
      ->add_option("--limit", options.limit,
                   "The last so many, 0: all; default: 20, or 1000 of what is looked for")
      ->check(CLI::NonNegativeNumber);
  history->add_flag("--json", options.json, "A line of JSON for each message, for scripts");
  history
      ->footer(
          "Example: relayd history ann@example.com --since 2d\n"
          "Exit codes: 0 found, 1 there is none, 77 not allowed, 78 the configuration has an error")
      ->callback([&] { status = relayd::command::history(options); });
}

// The words from `first` on.
std::vector<std::string_view> words(int first, int argc, char** argv) {
  return {argv + std::min(first, argc), argv + argc};
}

// relayd sendmail|mailq|newaliases: all that follows is theirs.
void add_mail_programs(CLI::App& app, int argc, char** argv, int& status) {
  const std::pair<const char*, const char*> programs[] = {
      {"sendmail", "Take a message as sendmail(1) does; also as a program of that name"},
      {"mailq", "Show what waits in the queue, as Postfix does; also as a program of that name"},
      {"newaliases", "Check the aliases and have the daemon read them; also as a program of that name"},
  };
  for (const auto& [name, help] : programs) {
    CLI::App* program = app.add_subcommand(name, help)->prefix_command();
    program->set_help_flag();
    program->set_help_all_flag();
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
  add_probes(app, options, status);

  app.add_subcommand("hash-password",
                     "Turn a password from standard input into what an account may keep instead")
      ->callback([&] { status = command::hash_password(); });
  add_queue(app, options, status);
  add_lane(app, options, status);
  add_oauth(app, options, status);
  add_suppress(app, options, status);
  command::add_signing(app, options, status);
  command::add_doctor(app, options, status);
  command::add_init(app, init_options, status);
  add_history(app, options, status);
  add_queue_files(app, options, status);
  add_mail_programs(app, argc, argv, status);
  add_status(app, options, status);

  app.add_subcommand("version", "Show version, commit and libraries")->callback([&] {
    status = command::version();
  });

  app.add_subcommand("help", "Help for a command, such as `relayd help queue retry`")->prefix_command();
  if (const std::optional<int> answered = command::help(app, words(1, argc, argv))) return *answered;

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, complaint;  // which quotes the command line
    const int code = app.exit(error, out, complaint);
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
