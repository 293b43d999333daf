// tables DIRECTORY [ROWS]: what tables, aliases, senders_file and accounts_file cost with a hundred thousand
// rows.
//
// Each part runs in a process of its own, so that what it holds in memory is its own. README.md says what is
// measured.
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <stdexcept>

#include "measure.hpp"
#include "relay/setup.hpp"
#include "route/router.hpp"
#include "shared/table/parse.hpp"

namespace relayd::bench {
namespace {

// Processor time in seconds: others who run beside count for little.
double cpu_since(Duration begun) {
  return seconds(cpu_time() - begun);
}

std::string address(std::size_t number) {
  return fmt::format("user-{}@tenant-{}.example.com", number * 7919 % 1'000'003, number);
}

// A name of aliases_file: the local part of address(), which no other has for so few.
std::string name(std::size_t number) {
  const std::string whole = address(number);
  return whole.substr(0, whole.find('@'));
}

// Targets that are no aliases themselves.
constexpr std::size_t rows_apart = 10'000'000;

// The octets that a part holds, beside `text` of them, for each row.
void say(std::string_view what, std::size_t rows, double loading, Bytes before, std::size_t text) {
  const double held = static_cast<double>(resident().count) - static_cast<double>(before.count);
  fmt::print("  {:<16} {:>7} rows  loaded in {:6.0f} ms  {:5.0f} octets a row, {:4.0f} of them its text\n",
             what, rows, loading * 1000, held / static_cast<double>(rows),
             static_cast<double>(text) / static_cast<double>(rows));
}

void look_up(std::string_view what, std::size_t rows, const std::function<bool(const std::string&)>& find) {
  constexpr std::size_t asked = 200'000;
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < asked; ++i) keys.push_back(address(i * 104'729 % (2 * rows)));
  std::size_t found = 0;
  const Duration begun = cpu_time();
  for (const std::string& key : keys) found += find(key) ? 1 : 0;
  fmt::print("  {:<16} {:6.0f} ns for each of {} keys, {} of them known\n", what,
             cpu_since(begun) * 1e9 / asked, asked, found);
}

void measure_table(std::string_view what, char separator, table::Parsed (*parse)(std::string_view),
                   std::size_t rows) {
  std::string text;
  std::size_t octets = 0;
  for (std::size_t i = 0; i < rows; ++i)
    text += fmt::format("{}{}{}\n", address(i), separator, address(i + 1));
  octets = text.size();
  const Bytes before = resident();
  const Duration begun = cpu_time();
  const table::Parsed parsed = parse(text);
  const double loading = cpu_since(begun);
  if (!parsed.table) throw std::runtime_error(parsed.faults.front().text);
  say(what, rows, loading, before, octets);
  look_up(what, rows, [&](const std::string& key) { return parsed.table->find(key).has_value(); });
}

void measure_patterns() {
  std::string text;
  constexpr std::size_t rows = 1000;
  for (std::size_t i = 0; i < rows; ++i)
    text += fmt::format("/^(.*)@host-{}\\.example\\.org$/ $1@example.com\n", i);
  const Bytes before = resident();
  const Duration begun = cpu_time();
  const table::Parsed parsed = table::parse_regexp(text);
  const double loading = cpu_since(begun);
  if (!parsed.table) throw std::runtime_error(parsed.faults.front().text);
  say("regexp", rows, loading, before, text.size());
  constexpr int asked = 1000;
  const Duration asking = cpu_time();
  for (int i = 0; i < asked; ++i) (void)parsed.table->find(fmt::format("user-{}@nowhere.example.net", i));
  fmt::print("  {:<16} {:6.0f} us for a key that none of them matches\n", "regexp",
             cpu_since(asking) * 1e6 / asked);
}

void write(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
  ::chmod(path.c_str(), 0600);
}

// How a row is looked up in what was made; null: it is not measured.
using Find = bool (*)(const Setup& setup, const std::string& address);

bool find_route(const Setup& setup, const std::string& address) {
  return setup.router->route(address).choices.size() == 1;
}

bool find_alias(const Setup& setup, const std::string& address) {
  return setup.aliases->expand(address)->front() != address;
}

// Its name in the domain that aliases_file has names of.
bool find_local_alias(const Setup& setup, const std::string& address) {
  const std::string local = address.substr(0, address.find('@')) + "@example.com";
  return setup.aliases->expand(local)->front() != local;
}

bool find_verdict(const Setup& setup, const std::string& address) {
  return setup.access->recipient(address) != config::AccessVerdict::accept;
}

void measure_setup(std::string_view what, const std::string& directory, std::size_t rows,
                   std::string_view use, std::string_view begin,
                   const std::function<std::string(std::size_t)>& row, Find find) {
  std::size_t octets = 0;
  {
    std::string text(begin);
    for (std::size_t i = 0; i < rows; ++i) text += row(i);
    octets = text.size();
    write(directory + "/rows", text);
    write(
        directory + "/relayd.yaml",
        fmt::format("upstreams: {{office: {{host: smtp.example.net}}, second: {{host: smtp.example.org}}}}\n"
                    "senders: [{{match: '*', upstream: [office, second]}}]\nhostname: mail.example.com\n"
                    "confinement: false\n{}\n",
                    use));
  }
  const Bytes before = resident();
  const Duration begun = cpu_time();
  SetupResult made = make_setup(directory + "/relayd.yaml");
  const double loading = cpu_since(begun);
  if (!made.setup) throw std::runtime_error(to_string(made.errors.front()));
  say(what, rows, loading, before, octets);
  if (find) look_up(what, rows, [&](const std::string& key) { return find(*made.setup, key); });
}

// In a process of its own; false when it failed.
bool apart(const std::function<void()>& part) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      part();
      std::fflush(stdout);
      std::_Exit(0);
    } catch (const std::exception& error) {
      fmt::print(stderr, "tables: {}\n", error.what());
      std::_Exit(1);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status == 0;
}

int run(const std::string& directory, std::size_t rows) {
  constexpr std::string_view scram =
      "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
      "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
  fmt::print("{}\n", machine());
  const bool good =
      apart([&] { measure_table("texthash", ' ', table::parse_texthash, rows); }) &&
      apart([&] { measure_table("csv", ',', table::parse_csv, rows); }) && apart(measure_patterns) &&
      apart([&] {
        measure_setup(
            "aliases_file", directory, rows, "aliases_file: rows", "",
            [](std::size_t i) { return fmt::format("{}: {}\n", name(i), address(i + rows_apart)); },
            find_local_alias);
      }) &&
      apart([&] {
        measure_setup(
            "aliases_table", directory, rows, "tables: {all: {file: rows}}\naliases_table: all", "",
            [](std::size_t i) { return fmt::format("{} {}\n", address(i), address(i + rows_apart)); },
            find_alias);
      }) &&
      apart([&] {
        measure_setup(
            "access by table", directory, rows,
            "tables: {all: {file: rows}}\naccess: {recipients: {table: all}}", "",
            [](std::size_t i) { return fmt::format("{} reject\n", address(i)); }, find_verdict);
      }) &&
      apart([&] {
        measure_setup(
            "senders_file", directory, rows, "senders_file: rows", "match,upstream,username,password\n",
            [](std::size_t i) {
              return fmt::format("{},office,tenant-{},password-of-tenant-{}\n", address(i), i, i);
            },
            find_route);
      }) &&
      apart([&] {
        measure_setup(
            "accounts_file", directory, rows, "accounts_file: rows", "",
            [&](std::size_t i) { return fmt::format("{}:{}\n", address(i), scram); }, nullptr);
      });
  return good ? 0 : 1;
}

}  // namespace
}  // namespace relayd::bench

int main(int count, char** arguments) {
  if (count < 2) return 64;
  return relayd::bench::run(arguments[1], count > 2 ? std::strtoul(arguments[2], nullptr, 10) : 100'000);
}
