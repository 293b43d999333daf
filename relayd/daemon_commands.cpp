// The command line of the commands that ask the daemon, or read what it keeps.
#include "daemon_commands.hpp"

#include <fmt/format.h>

#include "daemon_http.hpp"
#include "setup_commands.hpp"

namespace relayd::command {

// Where the daemon is that a command asks.
CLI::App* add_place(CLI::App* action, Options& options) {
  action->add_option("-c,--config", options.config, "Configuration file of the daemon")->type_name("FILE");
  action
      ->add_option("--socket", options.socket,
                   "Admin socket of the daemon; default: $RELAYD_ADMIN, then what the configuration says")
      ->type_name("FILE");
  return action;
}

namespace {

std::int64_t parse_keep(const std::string& text) {
  return std::chrono::ceil<std::chrono::seconds>(parse_duration("--for", text)).count();
}

// At most one of them is given.
void exclude_each_other(const std::vector<CLI::Option*>& all) {
  for (CLI::Option* const one : all)
    for (CLI::Option* const other : all)
      if (one != other) one->excludes(other);
}

// The same, or its window over HTTP.
CLI::App* add_daemon(CLI::App* action, Options& options) {
  add_place(action, options);
  CLI::Option* url = action->add_option(
      "--url", options.url,
      "Instead of the socket: the daemon's window, such as https://relay.example:9125; its token "
      "comes from RELAYD_HTTP_TOKEN or RELAYD_HTTP_TOKEN_FILE");
  url->check(fault_of_url)->type_name("URL");
  for (const char* other : {"--socket", "--config"}) url->excludes(action->get_option(other));
  return action;
}

struct Action {
  const char* name;
  const char* help;
  const char* example;  // what stands behind the name
};

constexpr const char* without_daemon = "69 no daemon answers, 78 the configuration hides where it is";

}  // namespace

// relayd healthcheck, relayd reload
void add_probes(CLI::App& app, Options& options, int& status) {
  add_place(app.add_subcommand("healthcheck", "Say by the exit code whether the daemon is well, for probes"),
            options)
      ->footer(
          "It needs no shell and leaves no line in the log. It asks the admin socket; where it cannot, it "
          "looks "
          "whether clients are greeted with 220.\n"
          "Example: relayd healthcheck || echo not well\n"
          "Exit codes: 0 well, 1 it does not answer, 2 it starts: the queue is being read, 3 it answers and "
          "takes "
          "no mail, and says why")
      ->callback([&] { status = command::healthcheck(options); });

  add_daemon(app.add_subcommand("reload",
                                "Have the daemon read its configuration again, and say whether it was taken"),
             options)
      ->footer(
          "It waits for the answer, and prints each error as FILE:LINE:COLUMN: text.\n"
          "Example: relayd reload && echo taken\n"
          "Exit codes: 0 taken, 69 no daemon answers, 78 it has an error and the old one stays")
      ->callback([&] { status = command::reload(options); });
}

// relayd status
void add_status(CLI::App& app, Options& options, int& status) {
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
  show_status->add_option("--upstream", options.queue.upstream, "Only lanes of this upstream")
      ->type_name("UPSTREAM");
  show_status->add_option("--account", options.queue.account, "Only lanes of this user name")
      ->type_name("NAME");
  show_status->footer(
      "Example: relayd status --upstream ses --trouble\n"
      "Exit codes: 0 it answered, 64 there is no such upstream, 69 no daemon answers, 78 the configuration "
      "hides where it is; with "
      "--check 0 all is well, 1 warning, 2 critical");
  show_status->callback([&] { status = command::status(options); });
}

// relayd queue list|show|retry|hold|release|delete
void add_queue(CLI::App& app, Options& options, int& status) {
  CLI::App* queue =
      app.add_subcommand("queue", "See and change what waits in the queue of the running daemon");
  queue->require_subcommand(1);
  const Action actions[] = {
      {"list", "One line a message", "--upstream ses --state waiting"},
      {"show", "Envelope, every attempt with its replies, and header of messages", "1j0m1q185e7"},
      {"retry", "Try now what waits; with --failed, or by id, also what has failed",
       "--recipient @example.com"},
      {"hold", "Keep messages from being sent", "--sender news@example.com"},
      {"release", "Send held messages", "--sender news@example.com"},
      {"delete", "Remove messages for good; nobody is told, but with --bounce", "--state failed --bounce"},
  };
  for (const auto& [name, help, example] : actions) {
    CLI::App* action = queue->add_subcommand(name, help);
    watch::Request& request = options.queue;
    add_daemon(action, options);
    action->add_option("id", request.ids, "Messages; none: all that the filters let through")
        ->type_name("ID");
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
      action->add_option("--sender", request.sender, "Only from this address, or @domain")
          ->type_name("ADDRESS");
      action->add_option("--recipient", request.recipient, "Only for this address, or @domain")
          ->type_name("ADDRESS");
      action->add_option("--upstream", request.upstream, "Only what waits for this upstream")
          ->type_name("UPSTREAM");
      action->add_option("--state", request.state, "Only messages in this state")
          ->check(CLI::IsMember({"waiting", "ready", "held", "failed", "reporting"}));
      if (std::string_view(name) != "list") action->add_flag("--all", request.all, "All messages");
    }
    action->footer(
        fmt::format("Example: relayd queue {} {}\n"
                    "Exit codes: 0 done, 1 something was refused, or the daemon still starts, {}",
                    name, example, without_daemon));
    action->callback([&options, &status, action_name = std::string(name)] {
      options.queue.command = action_name;
      status = command::queue(options);
    });
  }
}

// relayd lane list|pause|resume
void add_lane(CLI::App& app, Options& options, int& status) {
  CLI::App* lane = app.add_subcommand("lane", "See and steer the lanes of the running daemon");
  lane->require_subcommand(1);
  const Action actions[] = {
      {"list", "How each lane stands: an upstream with one account", "mailgun"},
      {"pause", "Send nothing there until it is resumed or the daemon starts again", "mailgun --account app"},
      {"resume", "Go on; what is in trouble is tried at once", "mailgun"},
  };
  for (const auto& [name, help, example] : actions) {
    CLI::App* action = lane->add_subcommand(name, help);
    watch::Request& request = options.queue;
    const bool lists = std::string_view(name) == "list";
    add_daemon(action, options);
    action->add_option("upstream", request.upstream, "The lanes of this upstream")
        ->type_name("UPSTREAM")
        ->required(!lists);
    action->add_option("--account", request.account, "Only that of this user name")->type_name("NAME");
    action->add_flag("--json", options.json, "Lines of JSON, for scripts");
    action->footer(
        fmt::format("{}Example: relayd lane {} {}\n"
                    "Exit codes: 0 done, 1 there is no such lane, {}{}",
                    std::string_view(name) == "pause" ? "Accounts that a reload adds are not paused.\n" : "",
                    name, example, lists ? "64 there is no such upstream, " : "", without_daemon));
    action->callback([&options, &status, action_name = std::string(name)] {
      options.queue.command = action_name;
      status = command::lane(options);
    });
  }
}

// relayd suppress list|add|remove|export|import
void add_suppress(CLI::App& app, Options& options, int& status) {
  CLI::App* suppress = app.add_subcommand(
      "suppress", "Recipients who are refused for a time, since an upstream has said that they do not exist");
  suppress->require_subcommand(1);
  watch::Request& request = options.queue;
  const auto add = [&](const char* name, const char* help, const char* example) {
    CLI::App* action = suppress->add_subcommand(name, help);
    const bool imports = std::string_view(name) == "import";
    action->footer(
        fmt::format("Example: relayd suppress {}{}\n"
                    "Exit codes: 0 done, 1 something was refused, {}{}",
                    name, example,
                    imports ? "65 the file has a fault and nothing was imported, 66 it cannot be read, " : "",
                    without_daemon));
    add_daemon(action, options);
    if (std::string_view(name) != "export")
      action->add_flag("--json", options.json, "Lines of JSON, for scripts");
    action->callback([&options, &status, action_name = std::string(name)] {
      options.csv = action_name == "export";
      options.queue.command = "suppress_" + (options.csv ? "list" : action_name);
      status = command::suppress(options);
    });
    return action;
  };
  const auto add_sender = [&request](CLI::App* action, const char* help) {
    action->add_option("--sender", request.sender, help)->type_name("DOMAIN");
  };
  CLI::App* list = add("list", "One line a recipient", " @example.com");
  list->add_option("address", request.recipient, "Only this address, or @domain")->type_name("ADDRESS");
  add_sender(list, "Only for senders of this domain");
  CLI::App* added = add("add", "Refuse a recipient", " ann@example.com --for 30d --reason 'has left'");
  added->add_option("address", request.recipient, "The recipient")->type_name("ADDRESS")->required();
  add_sender(added, "For senders of this domain; default: for all");
  added
      ->add_option_function<std::string>(
          "--for", [&request](const std::string& text) { request.seconds = parse_keep(text); },
          "How long, such as 30d; default: as `suppress.for` says")
      ->type_name("TIME");
  added->add_option("--reason", request.reason, "What clients are told")->type_name("TEXT");
  CLI::App* removed = add("remove", "Let mail to a recipient go again", " ann@example.com");
  removed->add_option("address", request.recipient, "The recipient")->type_name("ADDRESS")->required();
  add_sender(removed, "For senders of this domain; default: for all of them");
  add("export", "All of the list as comma-separated values", " >suppressed.csv");
  CLI::App* imported =
      add("import", "Add the rows of a file: all of them, or none if one is wrong", " suppressed.csv");
  imported->add_option("file", options.file, "As `export` writes it; -: standard input")
      ->type_name("FILE")
      ->required();
}

// relayd queue check|export
void add_queue_files(CLI::App& app, Options& options, int& status) {
  CLI::App* const queue = app.get_subcommand("queue");
  const auto add = [&](const char* name, const char* help, int (*run)(const Options&)) {
    CLI::App* action = queue->add_subcommand(name, help);
    action->add_option("-c,--config", options.config, "Configuration file of the daemon")->type_name("FILE");
    action->add_option("directory", options.directory, "A queue, or a copy of one; default: the daemon's")
        ->type_name("DIRECTORY");
    const bool exports = std::string_view(name) == "export";
    action->footer(fmt::format(
        "{}\nExample: relayd queue {}\n"
        "Exit codes: 0 all is sound, 1 damage, 65 the queue is of a newer version, 66 there is no queue, "
        "{}74 it "
        "cannot be read, 75 a daemon has it, 78 the configuration has an error",
        exports ? "What lies in `quarantine/` is written, too." : "Where `lock` is missing it is made.",
        exports ? "export /srv/backup/spool --to mail" : "check /srv/backup/spool",
        exports ? "73 the folder cannot be made, " : ""));
    action->callback([&options, &status, run] { status = run(options); });
    return action;
  };
  add("check", "Read a queue that no daemon has, change nothing, and say what of it is not sound",
      command::queue_check);
  add("export", "Write the messages of a queue that no daemon has as .eml and .json files", queue_export)
      ->add_option("--to", options.to,
                   "The folder to write to, which must not be there yet; default: relayd-export")
      ->type_name("DIRECTORY");
}

// relayd oauth login|status
void add_oauth(CLI::App& app, Options& options, int& status) {
  CLI::App* oauth = app.add_subcommand("oauth", "Accounts that log in with OAuth 2");
  oauth->require_subcommand(1);
  CLI::App* login = oauth->add_subcommand("login", "Sign in as the person whose mailbox an upstream uses");
  add_place(login, options);
  login->add_option("upstream", options.upstream, "The upstream")->type_name("UPSTREAM")->required();
  login->add_option("--account", options.account, "Its username, where an upstream has several")
      ->type_name("NAME");
  login->add_flag("--browser", options.browser, "By a browser that comes back to this machine");
  login->footer(
      "It is for accounts with `grant: refresh_token`; run it as root or as the owner of the queue. It shows "
      "a "
      "code to type at the provider (Microsoft), or an address to open in a browser; if the browser runs on "
      "another machine, paste the last address that it showed. Once a login has worked, the sign-in is kept "
      "in "
      "`tokens/` of the queue's directory, mode 0600. A running daemon uses it at once.\n"
      "Example: relayd oauth login office\n"
      "Exit codes: 0 signed in, 64 there is no such account, 77 not signed in, 78 the configuration has an "
      "error");
  login->callback([&] { status = command::oauth_login(options); });
  CLI::App* show =
      oauth->add_subcommand("status", "Each account: its grant, its sign-in, when its secret ends");
  add_place(show, options);
  show->footer(
      "The daemon says when a token ends. No token is shown.\n"
      "Example: relayd oauth status\n"
      "Exit codes: 0 shown, 78 the configuration has an error");
  show->callback([&] { status = command::oauth_status(options); });
}

// relayd history
void add_history(CLI::App& app, Options& options, int& status) {
  CLI::App* history = app.add_subcommand(
      "history",
      "What became of messages, also of those that have left: each attempt, reply and provider's id");
  add_daemon(history, options);
  history
      ->add_option("what", options.what,
                   "Id, address of a sender or recipient, @domain, Message-ID or provider's id; default: the "
                   "last 20 messages")
      ->type_name("WHAT");
  history
      ->add_option("--since", options.since,
                   "Of which something is told since then: 2h, 3d, 2026-11-20 or 2026-11-20T09:30:00Z; UTC")
      ->type_name("TIME");
  history->add_flag("--failed", options.failed, "Those that failed for a recipient");
  history
      ->add_option("--limit", options.limit,
                   "The last so many, 0: all; default: 20, or 1000 of what is looked for")
      ->type_name("NUMBER")
      ->check(CLI::NonNegativeNumber);
  history->add_flag("--json", options.json, "A line of JSON for each message, for scripts");
  history
      ->footer(
          "Without --url it reads files and needs no daemon.\n"
          "Example: relayd history ann@example.com --since 2d\n"
          "Exit codes: 0 found, 1 nothing is known, 64 --since is no time, 69 no daemon answers at the URL, "
          "74 the "
          "files cannot be read, 77 not allowed, 78 the configuration has an error")
      ->callback([&] { status = command::history(options); });
}

}  // namespace relayd::command
