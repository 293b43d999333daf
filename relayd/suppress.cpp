// relayd suppress: who is refused because an upstream has said that they do not exist, and the operator's
// hand on that list.
#include <fmt/format.h>
#include <sysexits.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "commands.hpp"
#include "daemon_address.hpp"
#include "daemon_connection.hpp"
#include "shown.hpp"
#include "tell/suppression.hpp"

namespace relayd::command {

namespace {

using nlohmann::json;

// Of everything that an answer may bring.
struct Answered {
  bool refused = false;
  bool faults = false;  // of a file
};

tell::Suppression entry_of(const json& object) {
  const auto second = [&object](const char* key) {
    const Result<tell::Second> parsed = tell::parse_second(object.value(key, ""));
    return parsed ? *parsed : tell::Second();
  };
  return {object.value("address", ""), object.value("sender", ""), second("since"), second("until"),
          object.value("reason", "")};
}

void print_row(const json& object) {
  std::string row;
  tell::append_row(row, entry_of(object));
  fmt::print("{}", shown_lines(row));
}

void print_entry(const json& object) {
  const std::string sender = text(object, "sender");
  const std::string reason = text(object, "reason");
  fmt::print("{}: {}, since {}, until {}: {}\n", text(object, "address"),
             sender.empty() ? "for all senders" : "for senders of " + sender, text(object, "since"),
             text(object, "until"), reason.empty() ? "by the operator" : reason);
}

void print_fault(const Options& options, const json& object) {
  if (!object.contains("line")) {
    fmt::print(stderr, "{}\n", text(object, "error"));
    return;
  }
  fmt::print(stderr, "{}:{}:{}: {}\n", shown(options.file), text(object, "line"), text(object, "column"),
             text(object, "error"));
}

void print_end(const Options& options, const json& object) {
  const std::string count = text(object, "count");
  const std::string& command = options.queue.command;
  if (options.json || options.csv) return;
  if (command == "suppress_remove") fmt::print("{} removed\n", count);
  if (command == "suppress_import") fmt::print("{} imported\n", count);
}

// False: the answer ends with it.
bool take(const Options& options, const std::string& line, Answered& answered) {
  const json object = parse_answer(line);
  if (!object.is_object()) return true;
  if (options.json) fmt::print("{}\n", shown_json(line));
  const bool fault = object.contains("error");
  answered.refused |= fault;
  answered.faults |= fault && object.contains("line");
  if (fault && !options.json) print_fault(options, object);
  if (fault) return answered.faults;  // others may follow
  if (object.contains("end")) {
    if (!answered.refused) print_end(options, object);
    return false;
  }
  if (options.json) return true;
  options.csv ? print_row(object) : print_entry(object);
  return true;
}

int exit_code(const Answered& answered) {
  if (answered.faults) {
    fmt::print(stderr, "nothing was imported\n");
    return EX_DATAERR;
  }
  return answered.refused ? 1 : EX_OK;
}

int ask(const Options& options, const watch::Request& request, const std::string& text) {
  const std::optional<std::string> path = daemon_address(options);
  if (!path) return EX_CONFIG;
  DaemonConnection daemon(*path);
  if (!daemon.ask(request)) return daemon.no_answer();
  // One that refuses need not read all of it: what it says is there all the same.
  static_cast<void>(daemon.send(text));
  if (options.csv) fmt::print("{}\n", tell::suppression_columns);
  Answered answered;
  std::string line;
  while (daemon.line(line))
    if (!take(options, line, answered)) return exit_code(answered);
  fmt::print(stderr, "relayd went away in the middle of its answer\n");
  return EX_UNAVAILABLE;
}

// Nothing: it was said why.
std::optional<std::string> read(const std::string& file) {
  if (file == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream stream(file, std::ios::binary);
  std::string text, piece(64 * 1024, '\0');
  // Not by the stream's iterators: they throw for a directory, which opens like a file.
  while (stream.read(piece.data(), static_cast<std::streamsize>(piece.size())) || stream.gcount() > 0)
    text.append(piece, 0, static_cast<std::size_t>(stream.gcount()));
  if (stream.is_open() && !stream.bad()) return text;
  fmt::print(stderr, "cannot read {}: {}\n", shown(file), std::strerror(errno));
  return std::nullopt;
}

}  // namespace

int suppress(const Options& options) {
  watch::Request request = options.queue;
  std::string text;
  if (request.command == "suppress_import") {
    std::optional<std::string> content = read(options.file);
    if (!content) return EX_NOINPUT;
    if (content->size() > watch::longest_import) {
      fmt::print(stderr, "{} has more than {} octets: divide it\n", shown(options.file),
                 watch::longest_import);
      return EX_DATAERR;
    }
    text = std::move(*content);
    request.octets = text.size();
  }
  return ask(options, request, text);
}

}  // namespace relayd::command
