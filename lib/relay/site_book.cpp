#include "relay/site_book.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "shared/disk/whole_file.hpp"

namespace relayd {

using async::Task;
using nlohmann::json;
using send::Ahead;

namespace {

constexpr const char* file_name = "sites.json";
constexpr const char* first_line = R"({"format":1})";
constexpr Duration delay = std::chrono::seconds(1);
// A ceiling rises by one connection in that time; see send::Site.
constexpr Duration ceiling_rises_after = std::chrono::minutes(1);

constexpr std::pair<Ahead::State, const char*> states[] = {{Ahead::State::untried, "untried"},
                                                           {Ahead::State::trying, "trying"},
                                                           {Ahead::State::earned, "earned"},
                                                           {Ahead::State::lost, "lost"}};

// One that we wrote: neither negative nor a fraction. Throws json::exception.
std::uint64_t count_of(const json& number) {
  return number.get_ref<const json::number_unsigned_t&>();
}

// The two clocks of one moment.
struct Now {
  SteadyTime steady;
  WallTime wall;

  std::int64_t written(SteadyTime when) const {
    const auto age = std::chrono::duration_cast<std::chrono::microseconds>(steady - when);
    return std::max(wall - age, WallTime{}).time_since_epoch().count();
  }
  // What lies ahead was written by a clock that was wrong.
  SteadyTime read(const json& number) const {
    const auto now = static_cast<std::uint64_t>(std::max(wall, WallTime{}).time_since_epoch().count());
    return steady - std::chrono::microseconds(now - std::min(count_of(number), now));
  }
};

json describe(const SiteEntry& site, Now now) {
  json object = {{"upstream", site.upstream}, {"where", site.where}};
  const Ahead::Record ahead = site.ahead.record();
  for (const auto& [state, name] : states)
    if (state == ahead.state && (state != Ahead::State::untried || ahead.losses > 0))
      object["ahead"] = {{"state", name}, {"at", now.written(ahead.since)}, {"losses", ahead.losses}};
  if (site.endpoint > 0)
    object["port"] = {{"port", site.ports[site.endpoint]}, {"at", now.written(site.left_at)}};
  if (site.offered)
    object["offer"] = {{"lines", smtp::to_lines(*site.offered)}, {"at", now.written(site.offered_at)}};
  if (site.ceiling() < site.limit)
    object["connections"] = {{"most", site.ceiling()}, {"at", now.written(now.steady)}};
  for (const auto& [cap, entry] : site.learnt.entries())
    if (now.steady < entry.until)
      object["caps"].push_back(
          {{"cap", to_string(cap)},
           {"most", entry.most},
           {"seconds", std::chrono::duration_cast<std::chrono::seconds>(entry.until - now.steady).count()},
           {"at", now.written(now.steady)}});
  return object;
}

void restore_ahead(SiteEntry& site, const json& object, Now now) {
  Ahead::Record record;
  const auto name = object.at("state").get<std::string>();
  for (const auto& [state, word] : states)
    if (name == word) record.state = state;
  record.since = now.read(object.at("at"));
  record.losses = static_cast<unsigned>(count_of(object.at("losses")));
  site.ahead.restore(record);
}

void restore_port(SiteEntry& site, const json& object, Now now) {
  const auto found = std::ranges::find(site.ports, count_of(object.at("port")));
  if (found == site.ports.end()) return;
  site.endpoint = static_cast<std::size_t>(found - site.ports.begin());
  site.left_at = now.read(object.at("at"));
}

void restore_offer(SiteEntry& site, const json& object, Now now) {
  smtp::Reply ehlo{250, {}, "was"};
  for (const json& line : object.at("lines")) ehlo.text += '\n' + line.get<std::string>();
  site.offered = smtp::parse_capabilities(ehlo);
  site.offered_at = now.read(object.at("at"));
}

void restore_connections(SiteEntry& site, const json& object, Now now) {
  const std::uint64_t most = std::min<std::uint64_t>(count_of(object.at("most")), site.limit);
  const auto risen =
      static_cast<std::uint64_t>((now.steady - now.read(object.at("at"))) / ceiling_rises_after);
  if (most + risen < site.limit)
    site.use_at_most(static_cast<std::uint32_t>(std::max<std::uint64_t>(most + risen, 1)));
}

void restore_caps(SiteEntry& site, const json& caps, Now now) {
  constexpr auto longest = std::chrono::duration_cast<std::chrono::seconds>(send::Learnt::named_holds);
  for (const json& object : caps) {
    const auto cap = find_word<smtp::Cap>(object.at("cap").get<std::string>());
    const std::uint64_t seconds = std::min<std::uint64_t>(count_of(object.at("seconds")), longest.count());
    const std::uint64_t most = count_of(object.at("most"));
    const SteadyTime until = now.read(object.at("at")) + std::chrono::seconds(seconds);
    if (cap && most > 0 && most <= std::numeric_limits<std::uint32_t>::max() && until > now.steady)
      site.learnt.restore(*cap, {static_cast<std::uint32_t>(most), until});
  }
}

}  // namespace

void SiteBook::open() {
  try {
    read_lines(disk::read_whole(disk_, file_name));
  } catch (const disk::DiskError& error) {
    if (error.code() != std::errc::no_such_file_or_directory)
      log_.warning("sites_lost", {{"reason", error.what()}});
  }
}

void SiteBook::read_lines(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  if (line != first_line)
    return log_.warning("sites_lost", {{"reason", "sites.json is none that this relayd reads"}});
  while (std::getline(lines, line)) {
    try {
      lines_[json::parse(line).at("upstream")] = line;
    } catch (const json::exception& error) {
      log_.warning("sites_lost", {{"reason", error.what()}});
    }
  }
}

void SiteBook::recall(SiteEntry& site) {
  const auto found = lines_.find(site.upstream);
  if (found == lines_.end()) return;
  try {
    const json object = json::parse(found->second);
    if (object.at("where") != site.where) return;
    const Now now{loop_.now(), loop_.wall_now()};
    if (object.contains("ahead")) restore_ahead(site, object["ahead"], now);
    if (object.contains("port")) restore_port(site, object["port"], now);
    if (object.contains("offer")) restore_offer(site, object["offer"], now);
    if (object.contains("connections")) restore_connections(site, object["connections"], now);
    if (object.contains("caps")) restore_caps(site, object["caps"], now);
  } catch (const json::exception& error) {
    log_.warning("sites_lost", {{"reason", error.what()}});
  }
  // A time that lay ahead is now from here on.
  site.changed = true;
  note(site);
}

bool SiteBook::take_news(SiteEntry& site) {
  if (!site.take_changed()) return false;
  lines_[site.upstream] =
      describe(site, {loop_.now(), loop_.wall_now()}).dump(-1, ' ', false, json::error_handler_t::replace);
  return changed_ = true;
}

void SiteBook::note(SiteEntry& site) {
  if (take_news(site) && !timer_.armed()) timer_.at(loop_.now() + delay, [this] { scope_.spawn(save()); });
}

void SiteBook::note_at_once(SiteEntry& site) {
  if (take_news(site)) scope_.spawn(save());
}

Task<void> SiteBook::keep(SiteEntry& site) {
  take_news(site);
  co_await save();
}

Task<void> SiteBook::save() {
  const bool is_ours = co_await writing_.begin();
  if (!is_ours) co_return;
  changed_ = false;
  std::string text = std::string(first_line) + '\n';
  for (const auto& [upstream, line] : lines_) text += line + '\n';
  try {
    co_await workers_.run([this, &text] { disk::write_whole(disk_, file_name, text); });
  } catch (const disk::DiskError& error) {
    changed_ = true;  // tried again with what is new next, or at the end
    log_.warning("sites_not_written", {{"reason", error.what()}});
  }
  writing_.end();
}

Task<void> SiteBook::flush() {
  timer_.cancel();
  co_await scope_.drained();
  if (changed_) co_await save();
}

}  // namespace relayd
