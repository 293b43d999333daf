#include "relay/history_search.hpp"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "relay/history_files.hpp"
#include "shared/base/ascii.hpp"
#include "shared/mail/address.hpp"
#include "shared/mail/lookup_key.hpp"
#include "shared/telemetry/text.hpp"
#include "tell/history.hpp"

namespace relayd {

using nlohmann::json;

namespace {

constexpr const char* address_keys[] = {"from", "to", "sent_from", "sent_to", "instead_of", "about"};
constexpr const char* id_keys[] = {"id", "message_id", "provider_id", "report"};
constexpr std::string_view failures[] = {"failed", "expired", "rejected"};

// The texts of a value: itself, or what it has.
template <class Visit>
void for_each_text(const json& line, const char* key, Visit visit) {
  const auto found = line.find(key);
  if (found == line.end()) return;
  if (found->is_string()) return visit(found->get_ref<const std::string&>());
  if (found->is_array())
    for (const json& one : *found)
      if (one.is_string()) visit(one.get_ref<const std::string&>());
}

// What is looked for, in the forms in which a line may have it.
class Wanted {
 public:
  Wanted(const HistoryQuery& query, std::string_view key) : query_(query) {
    std::string_view what = query.what;
    if (what.starts_with('<') && what.ends_with('>')) what = what.substr(1, what.size() - 2);
    if (!what.empty()) {
      folded_ = mail::lookup_key(what);
      std::string needle;
      telemetry::append_escaped(needle, folded_);
      needles_.push_back(std::move(needle));
      if (!key.empty() && folded_.find('@') != std::string::npos) {
        hash_ = tell::history_hash(what, key);
        needles_.push_back(hash_);
      }
    } else if (query.failed) {
      for (const std::string_view state : failures)
        needles_.push_back("\"event\":\"" + std::string(state) + '"');
    }
  }

  // Calls visit(line) for each line that may be wanted, in order.
  template <class Visit>
  void for_each_candidate(const std::string& text, Visit visit) const {
    if (needles_.empty()) return for_each_line(text, visit);
    const std::string lower = ascii::lower(text);
    std::vector<std::size_t> begins;
    for (const std::string& needle : needles_)
      for (std::size_t at = 0; (at = find(lower, needle, at)) != std::string::npos;) {
        const std::size_t before = at == 0 ? std::string::npos : text.rfind('\n', at - 1);
        begins.push_back(before + 1);  // npos: 0
        at = std::min(text.find('\n', at), text.size());
      }
    std::ranges::sort(begins);
    begins.erase(std::unique(begins.begin(), begins.end()), begins.end());
    for (const std::size_t begin : begins)
      visit(std::string_view(text).substr(begin, text.find('\n', begin) - begin));
  }

  bool fits(std::string_view line) const {
    const auto head = tell::history_head(line);
    if (!head || head->time < query_.since) return false;
    const std::optional<json> object = tell::parse_history(line);
    return object && (folded_.empty() || names_it(*object));
  }

  template <class Visit>
  static void for_each_line(std::string_view text, Visit visit) {
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      visit(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

 private:
  // Not std::string::find, which is many times as slow.
  static std::size_t find(const std::string& text, const std::string& needle, std::size_t from) {
    const void* const found = ::memmem(text.data() + from, text.size() - from, needle.data(), needle.size());
    return found ? static_cast<std::size_t>(static_cast<const char*>(found) - text.data())
                 : std::string::npos;
  }

  bool names_it(const json& line) const {
    bool found = false;
    for (const char* const key : address_keys)
      for_each_text(line, key, [&](const std::string& address) {
        found |= folded_.front() == '@' ? "@" + mail::folded_domain(address) == folded_
                                        : mail::lookup_key(address) == folded_;
      });
    for (const char* const key : id_keys)
      for_each_text(line, key, [&](const std::string& id) {
        const std::string folded = mail::lookup_key(id);
        found |= folded == folded_ || folded == '<' + folded_ + '>';
      });
    for_each_text(line, "keys", [&](const std::string& hash) { found |= !hash_.empty() && hash == hash_; });
    return found;
  }

  const HistoryQuery& query_;
  std::string folded_;
  std::string hash_;
  std::vector<std::string> needles_;  // one of them is in a line that is wanted; none: that says nothing
};

// The ids of the messages, that of the newest line first; no more than `most`.
std::vector<std::string> ids_of(const HistoryFolder& folder, const std::vector<HistoryFile>& files,
                                const Wanted& wanted, std::size_t most) {
  std::vector<std::string> ids;
  std::unordered_map<std::string, bool> known;
  for (auto file = files.rbegin(); file != files.rend() && ids.size() < most; ++file) {
    const std::optional<std::string> text = folder.read(file->name());
    if (!text) continue;
    std::vector<std::string> found;
    wanted.for_each_candidate(*text, [&](std::string_view line) {
      if (wanted.fits(line)) found.emplace_back(tell::history_head(line)->id);
    });
    for (auto id = found.rbegin(); id != found.rend() && ids.size() < most; ++id)
      if (known.emplace(*id, true).second) ids.push_back(std::move(*id));
  }
  return ids;
}

bool has_failed(const MessageHistory& message) {
  return std::ranges::any_of(states_of(message), [](const auto& one) { return is_failure(one.second); });
}

}  // namespace

bool is_failure(std::string_view state) {
  return std::ranges::find(failures, state) != std::end(failures);
}

HistoryStates states_of(const MessageHistory& message) {
  HistoryStates states;
  std::unordered_map<std::string, std::size_t> places;
  for (const json& line : message.lines)
    for_each_text(line, "to", [&](const std::string& address) {
      const auto [place, fresh] = places.emplace(address, states.size());
      if (fresh) states.emplace_back(address, "");
      states[place->second].second = line["event"].get_ref<const std::string&>();
    });
  return states;
}

HistoryFound search_history(const HistoryFolder& folder, const HistoryQuery& query) {
  const std::vector<HistoryFile> files = history_files(folder.names);
  const std::string key = folder.read("key").value_or("");
  const Wanted wanted(query, key);
  // Which of them have failed is only known when all is read. One more shows that there are more.
  const bool all = query.limit == 0 || query.failed;
  std::vector<std::string> ids = ids_of(folder, files, wanted, all ? std::string::npos : query.limit + 1);
  std::ranges::reverse(ids);

  HistoryFound found;
  std::unordered_map<std::string_view, std::size_t> places;
  for (const std::string& id : ids) {
    places.emplace(id, found.messages.size());
    found.messages.push_back({id, {}});
  }
  for (const HistoryFile& file : files) {
    if (ids.empty()) break;
    const std::optional<std::string> text = folder.read(file.name());
    if (!text) continue;
    Wanted::for_each_line(*text, [&](std::string_view line) {
      const auto head = tell::history_head(line);
      const auto place = head ? places.find(head->id) : places.end();
      if (place == places.end()) return;
      std::vector<json>& lines = found.messages[place->second].lines;
      std::optional<json> object = tell::parse_history(line);
      // A write that was tried again may have left the same line twice.
      if (object && (lines.empty() || lines.back() != *object)) lines.push_back(std::move(*object));
    });
  }
  if (query.failed) std::erase_if(found.messages, [](const auto& message) { return !has_failed(message); });
  found.more = query.limit != 0 && found.messages.size() > query.limit;
  if (found.more)
    found.messages.erase(found.messages.begin(),
                         found.messages.end() - static_cast<std::ptrdiff_t>(query.limit));
  return found;
}

}  // namespace relayd
