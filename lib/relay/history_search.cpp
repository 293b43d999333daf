#include "relay/history_search.hpp"

#include <algorithm>
#include <cstring>
#include <span>
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

constexpr const char* id_keys[] = {"id", "message_id", "provider_id", "report"};
constexpr std::string_view failures[] = {"failed", "expired", "rejected", "deleted"};

// The texts of a value: itself, or what it has.
template <class Visit>
void for_each_text(const json& line, std::string_view key, Visit visit) {
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
      id_ = ascii::lower(what);
      folded_ = mail::lookup_key(what);
      need(id_);
      need_each_spelling();
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
    if (folded_.empty()) return line.ends_with('}');  // not cut short
    const std::optional<json> object = tell::parse_history(line);
    return object && names_it(*object);
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

  void need(std::string_view text) {
    std::string needle;
    telemetry::append_escaped(needle, text);
    needles_.push_back(std::move(needle));
  }

  // A line has an address as it was spelled: a local part in any quotes, a domain in Unicode or as A-labels.
  void need_each_spelling() {
    const mail::Parts parts = mail::split(folded_);
    if (parts.local_part.size() == folded_.size()) return;  // no address
    const bool has_forms = parts.domain.find("xn--") != std::string_view::npos || !ascii::all_ascii(folded_);
    const std::string domain = has_forms ? "@" : "@" + std::string(parts.domain);
    need(std::string(parts.local_part) + domain);
    need('"' + domain);
  }

  bool names_it(const json& line) const {
    bool found = false;
    for (const std::string_view key : tell::history_address_keys)
      for_each_text(line, key, [&](const std::string& address) {
        found |= folded_.front() == '@' ? "@" + mail::folded_domain(address) == folded_
                                        : mail::lookup_key(address) == folded_;
      });
    for (const char* const key : id_keys)
      for_each_text(line, key, [&](const std::string& id) {
        const std::string lower = ascii::lower(id);
        found |= lower == id_ || lower == '<' + id_ + '>';
      });
    for (const char* const key : {"keys", "to_keys"})
      for_each_text(line, key, [&](const std::string& hash) { found |= !hash_.empty() && hash == hash_; });
    return found;
  }

  const HistoryQuery& query_;
  std::string id_;      // as an id it may be
  std::string folded_;  // as an address
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

// Whether what is told of a message as a whole concerns a recipient who is in that state.
bool is_left(std::string_view state, tell::Handled::Kind told) {
  if (state == "delivered" || state == "discarded") return false;
  return told == tell::Handled::Kind::retried || !is_failure(state);
}

// What is told of each recipient. Masked addresses may look the same: those are told apart by their hashes,
// and so are full ones of an earlier log, where there is a key.
HistoryStates states_of(const std::vector<json>& lines, std::string_view key) {
  HistoryStates states;
  std::unordered_map<std::string, std::size_t> places;
  for (const json& line : lines) {
    const std::string& event = line["event"].get_ref<const std::string&>();
    const auto handled = find_word<tell::Handled::Kind>(event);
    if (handled && !line.contains("to"))
      for (auto& [address, state] : states)
        if (is_left(state, *handled)) state = event;
    std::vector<std::string> hashes;
    for_each_text(line, "to_keys", [&](const std::string& hash) { hashes.push_back(hash); });
    std::size_t at = 0;
    for_each_text(line, "to", [&](const std::string& address) {
      std::string name = key.empty() ? address : tell::history_hash(address, key);
      if (at < hashes.size()) name = hashes[at];
      ++at;
      const auto [place, fresh] = places.emplace(std::move(name), states.size());
      if (fresh) states.emplace_back(address, "");
      states[place->second].second = event;
    });
  }
  return states;
}

bool has_failed(const MessageHistory& message) {
  return std::ranges::any_of(message.states, [](const auto& one) { return is_failure(one.second); });
}

// So many are in memory at once.
constexpr std::size_t at_once = 2048;

// All lines about some messages.
std::vector<MessageHistory> read_messages(const HistoryFolder& folder, const std::vector<HistoryFile>& files,
                                          std::span<const std::string> ids, std::string_view key) {
  std::vector<MessageHistory> messages;
  std::unordered_map<std::string_view, std::size_t> places;
  for (const std::string& id : ids) {
    places.emplace(id, messages.size());
    messages.push_back({id, {}, {}});
  }
  for (const HistoryFile& file : files) {
    if (ids.empty()) break;
    const std::optional<std::string> text = folder.read(file.name());
    if (!text) continue;
    Wanted::for_each_line(*text, [&](std::string_view line) {
      const auto head = tell::history_head(line);
      const auto place = head ? places.find(head->id) : places.end();
      if (place == places.end()) return;
      std::vector<json>& lines = messages[place->second].lines;
      std::optional<json> object = tell::parse_history(line);
      // A write that was tried again may have left the same line twice.
      if (object && (lines.empty() || lines.back() != *object)) lines.push_back(std::move(*object));
    });
  }
  std::erase_if(messages, [](const auto& message) { return message.lines.empty(); });
  for (MessageHistory& message : messages) message.states = states_of(message.lines, key);
  return messages;
}

// Calls visit(message) for each, some at a time, for as long as it says so.
template <class Visit>
void for_each_message(const HistoryFolder& folder, const std::vector<HistoryFile>& files,
                      std::span<const std::string> ids, std::string_view key, Visit visit) {
  while (!ids.empty()) {
    const auto some = ids.first(std::min(ids.size(), at_once));
    ids = ids.subspan(some.size());
    for (MessageHistory& message : read_messages(folder, files, some, key))
      if (!visit(message)) return;
  }
}

}  // namespace

bool is_failure(std::string_view state) {
  return std::ranges::find(failures, state) != std::end(failures);
}

HistoryFound search_history(const HistoryFolder& folder, const HistoryQuery& query,
                            const std::function<void(MessageHistory&)>& visit) {
  const std::vector<HistoryFile> files = history_files(folder.names);
  const std::string key = folder.read("key").value_or("");
  const Wanted wanted(query, key);
  // One more shows that there are more.
  const std::size_t most = query.limit == 0 ? std::string::npos : query.limit + 1;
  std::vector<std::string> ids = ids_of(folder, files, wanted, query.failed ? std::string::npos : most);
  if (query.failed) {  // which of them have is only known when all of each is read
    std::vector<std::string> failed;
    for_each_message(folder, files, ids, key, [&](const MessageHistory& message) {
      if (has_failed(message)) failed.push_back(message.id);
      return failed.size() < most;
    });
    ids = std::move(failed);
  }
  HistoryFound found;
  found.more = ids.size() >= most;
  if (found.more) ids.resize(query.limit);
  std::ranges::reverse(ids);
  for_each_message(folder, files, ids, key, [&](MessageHistory& message) {
    ++found.messages;
    visit(message);
    return true;
  });
  return found;
}

}  // namespace relayd
