// relayd history: what became of messages, from the files that the daemon keeps.
#include "tell/history.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "commands.hpp"
#include "relay/history_files.hpp"
#include "relay/history_search.hpp"
#include "shared/base/ascii.hpp"
#include "shared/config/value.hpp"
#include "shared/disk/posix_disk.hpp"
#include "shared/telemetry/text.hpp"
#include "shown.hpp"
#include "watch/answer.hpp"
#include "window.hpp"

namespace relayd::command {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t usual_limit = 20;     // where nothing is looked for
constexpr std::size_t search_limit = 1000;  // where something is

constexpr std::chrono::seconds patience(2);  // with a daemon that is stopped, or waits for its disk

// What a daemon, if there is one, has not written yet, it writes now.
void have_it_written(const std::string& socket) {
  Window window(socket, patience);
  watch::Request request;
  request.command = "history";
  std::string line;
  if (!window.connected()) return;
  if (!window.send(watch::to_line(request)) || !window.line(line))
    fmt::print(stderr, "relayd does not answer: what it has not written yet is missing\n");
}

// ".25" at the beginning of a text, taken away.
std::chrono::microseconds take_fraction(const char*& text) {
  std::int64_t fraction = 0, unit = 1'000'000;
  if (*text != '.') return {};
  for (++text; ascii::is_digit(*text); ++text)
    if ((unit /= 10) > 0) fraction += (*text - '0') * unit;
  return std::chrono::microseconds(fraction);
}

// "2026-11-20", "2026-11-20T09:30", "2026-11-20T09:30:00Z", "…+01:00" (RFC 3339). Without a zone it is UTC,
// as all that is shown.
std::optional<WallTime> parse_moment(const char* text) {
  std::tm time{};
  text = ::strptime(text, "%Y-%m-%d", &time);
  if (text && (*text == 'T' || *text == ' ')) {
    const char* const clock = text + 1;
    text = ::strptime(clock, "%H:%M:%S", &time);
    if (!text) text = ::strptime(clock, "%H:%M", &time);
  }
  if (!text) return std::nullopt;
  const std::chrono::microseconds fraction = take_fraction(text);
  if (*text == '\0') return WallTime(std::chrono::seconds(::timegm(&time))) + fraction;
  std::tm zone{};
  text = ::strptime(text, "%z", &zone);
  if (!text || *text != '\0') return std::nullopt;
  return WallTime(std::chrono::seconds(::timegm(&time) - zone.tm_gmtoff)) + fraction;
}

// A moment, or how long ago it was, as the lines have it.
std::optional<std::string> parse_since(const std::string& text) {
  const Result<std::chrono::milliseconds> ago = config::parse_duration(text);
  const std::optional<WallTime> when = ago ? wall_now() - *ago : parse_moment(text.c_str());
  if (!when) return std::nullopt;
  std::string since;
  telemetry::append_time(since, *when);
  return since;
}

// Nothing: it is gone, or no regular file. Throws std::system_error for what cannot be read.
std::optional<std::string> read_file(const fs::path& path) {
  const auto fail = [&path] { throw std::system_error(errno, std::generic_category(), path.string()); };
  // Nobody writes to a FIFO that lies here.
  const disk::Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (file.number() < 0) {
    if (errno == ENOENT || errno == ENXIO) return std::nullopt;  // ENXIO: a socket
    fail();
  }
  if (::fstat(file.number(), &status) != 0) fail();
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  std::string text(static_cast<std::size_t>(status.st_size), '\0');  // what is appended later is too late
  std::size_t got = 0;
  while (got < text.size()) {
    const ssize_t count = ::read(file.number(), text.data() + got, text.size() - got);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail();
    if (count == 0) break;
    got += static_cast<std::size_t>(count);
  }
  text.resize(got);
  return text;
}

HistoryFolder folder_at(const fs::path& path) {
  HistoryFolder folder;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(path, failure))
    folder.names.push_back(entry.path().filename());
  if (failure && failure != std::errc::no_such_file_or_directory)
    throw std::system_error(failure, path.string());
  folder.read = [path](const std::string& name) { return read_file(path / name); };
  return folder;
}

// As the log shows them: also what was written before the log masked.
void mask(json& line) {
  for (const auto& [key, value] : line.items()) {
    const bool is_address =
        std::ranges::find(tell::history_address_keys, key) != tell::history_address_keys.end();
    if (value.is_array() && is_address)
      for (json& one : value) one = telemetry::masked(one.get<std::string>());
    if (value.is_string() && is_address) value = telemetry::masked(value.get<std::string>());
    if (key == "response" || key == "reason" || key == "rule")
      value = telemetry::masked_within(value.is_string() ? value.get<std::string>() : "");
  }
}

// "delivered", or "2 delivered, 1 failed" where recipients differ.
std::string state_text(const MessageHistory& message) {
  if (message.states.empty()) return text(message.lines.back(), "event");  // who they are is kept no more
  std::vector<std::pair<std::string, std::size_t>> counts;
  for (const auto& [address, state] : message.states) {
    const auto found = std::ranges::find(counts, state, &std::pair<std::string, std::size_t>::first);
    if (found == counts.end())
      counts.emplace_back(state, 1);
    else
      ++found->second;
  }
  if (counts.size() == 1) return counts.front().first;
  std::string result;
  for (const auto& [state, count] : counts)
    result += fmt::format("{}{} {}", result.empty() ? "" : ", ", count, state);
  return result;
}

// "2026-11-20 09:30:00" of "2026-11-20T09:30:00.123456Z".
std::string moment(const json& line) {
  std::string time = text(line, "time").substr(0, 19);
  std::replace(time.begin(), time.end(), 'T', ' ');
  return time;
}

std::string listed(const json& line, const char* key) {
  const auto found = line.find(key);
  if (found == line.end()) return "";
  if (!found->is_array()) return text(line, key);
  std::string result;
  for (const json& one : *found) {
    if (!result.empty()) result += ", ";
    result += shown(one.get<std::string>());
  }
  return result;
}

// "  label value", where there is a value.
void print_fact(const char* label, const std::string& value) {
  if (!value.empty()) fmt::print("  {:<11} {}\n", label, value);
}

std::string named(const char* name, const std::string& value) {
  return value.empty() ? "" : fmt::format(" {} {}", name, value);
}

void print_arrival(const json& line) {
  const std::string from = text(line, "from");
  print_fact("from", from.empty() ? "<>" : from);
  print_fact("to", listed(line, "to"));
  print_fact("instead of", listed(line, "instead_of"));
  print_fact("message-id", text(line, "message_id"));
  const std::string client = text(line, "client");  // there may be none
  print_fact("size", text(line, "size") + " octets" + (client.empty() ? "" : ", from client " + client) +
                         named("as", text(line, "account")) + named("by", text(line, "tls")));
}

void print_event(const json& line) {
  const std::string event = text(line, "event");
  fmt::print("  {}  {:<9} {}\n", moment(line), event, listed(line, line.contains("to") ? "to" : "about"));
  const auto more = [](const std::string& value) {
    if (!value.empty()) fmt::print("  {:<21}{}\n", "", value);
  };
  const std::string upstream = text(line, "upstream");
  std::string way;
  if (line.contains("attempt")) way += "attempt " + text(line, "attempt");
  if (!upstream.empty()) way += " by " + upstream;
  way += named("at", text(line, "host")) + named("as", text(line, "account"));
  if (const std::string rule = text(line, "rule"); !rule.empty()) way += ", rule '" + rule + "'";
  if (line.contains("delay")) way += ", " + text(line, "delay") + " s after it came";
  more(way);
  if (line.contains("sent_from") || line.contains("report"))
    more((line.contains("sent_from") ? "sent from " + text(line, "sent_from") : "") +
         named("report", text(line, "report")));
  if (line.contains("sent_to")) more("sent to " + text(line, "sent_to"));
  const std::string code = text(line, "code");
  const std::string said = text(line, "response");
  more(code + (code.empty() || said.empty() ? "" : " ") + said +
       (line.contains("class") && line.contains("stage") && event != "delivered"
            ? " (" + text(line, "class") + " at " + text(line, "stage") + ")"
            : ""));
  more(text(line, "reason"));
  if (line.contains("by")) more("by the " + text(line, "by"));
  if (const std::string id = text(line, "provider_id"); !id.empty()) more("the provider's id: " + id);
}

bool is_arrival(const json& line) {
  const std::string event = text(line, "event");
  return !line.contains("by") && (event == "accepted" || event == "held" || event == "discarded");
}

void print_message(const MessageHistory& message) {
  fmt::print("{}  {}  {}\n", shown(message.id), moment(message.lines.front()), shown(state_text(message)));
  for (const json& line : message.lines) is_arrival(line) ? print_arrival(line) : print_event(line);
  fmt::print("\n");
}

void print_json(const MessageHistory& message) {
  json object = {{"id", message.id}, {"state", state_text(message)}};
  for (const auto& [address, state] : message.states)
    object["recipients"].push_back({{"to", address}, {"state", state}});
  for (json line : message.lines) {
    line.erase("id");
    line.erase("keys");
    line.erase("to_keys");
    object["events"].push_back(std::move(line));
  }
  std::string line = watch::line_of(object);
  line.pop_back();  // its end is no control character that was said
  fmt::print("{}\n", shown_json(line));
}

void show(MessageHistory& message, const Options& options, bool masked) {
  if (masked) {
    std::ranges::for_each(message.lines, mask);
    for (auto& [address, state] : message.states) address = telemetry::masked(address);
  }
  options.json ? print_json(message) : print_message(message);
}

}  // namespace

int history(const Options& options) {
  const std::shared_ptr<const config::Config> config = usable_config(options);
  if (!config) return EX_CONFIG;
  HistoryQuery query{.what = options.what, .since = {}, .failed = options.failed};
  if (!options.since.empty()) {
    const std::optional<std::string> since = parse_since(options.since);
    if (!since) {
      fmt::print(stderr,
                 "--since {}: a time ago such as 2h or 3d, a date such as 2026-11-20, or both as in "
                 "2026-11-20T09:30:00Z\n",
                 shown(options.since));
      return EX_USAGE;
    }
    query.since = *since;
  }
  const bool asks = !query.what.empty() || !query.since.empty() || query.failed;
  query.limit = options.limit.value_or(asks ? search_limit : usual_limit);
  have_it_written(config->admin_socket());
  try {
    const bool masked = config->log.addresses == config::LogAddresses::masked;
    const HistoryFound found =
        search_history(folder_at(fs::path(config->queue.directory) / history_folder), query,
                       [&](MessageHistory& message) { show(message, options, masked); });
    if (found.more)
      fmt::print(stderr, "There are more: these are the last {}. --limit N shows the last N, --limit 0 all\n",
                 query.limit);
    if (found.messages > 0) return EX_OK;
    fmt::print(stderr, "Nothing is known of {}{}\n",
               query.what.empty() ? "such a message" : shown(query.what),
               config->history.keep.count() == 0 ? ": history.keep is 0, so nothing is kept" : "");
    return 1;
  } catch (const std::system_error& error) {
    const bool forbidden = error.code() == std::errc::permission_denied;
    fmt::print(stderr, "{}{}\n", shown(error.what()),
               forbidden ? ". Ask as the user of relayd, or as root" : "");
    return forbidden ? EX_NOPERM : EX_IOERR;
  }
}

}  // namespace relayd::command
