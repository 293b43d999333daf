// Reader: turns nodes into typed fields, and keeps the complaints.
//
// One load owns one Reader. Values that cannot be read are complained about and left at their default;
// reading goes on, so that one pass finds everything. What the keys are stands in keys.hpp, what must hold
// between them in check.cpp. Private to this room.
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "shared/base/words.hpp"
#include "shared/config/node.hpp"

namespace relayd::config {

class Reader {
 public:
  // `file` is the name in messages, and its folder is where relative paths start. `secrets`: as in Demands.
  // `status` is that of the file; nothing when there is none.
  Reader(std::string file, const Environment& environment, bool secrets,
         std::optional<struct stat> status = {});

  void error(const Place& place, std::string text);
  void warn(const Place& place, std::string text);

  // What complaints about a place name: the file, another one, or a variable.
  std::string file_of(const Place& place) const;
  bool demands_secrets() const { return secrets_; }

  // The text of a scalar that is neither empty nor holds a control character; else complains that `expected`
  // (such as "a path") was wanted.
  std::optional<std::string> text(const Node& node, std::string_view expected);
  // The same for a path; a relative one starts at the configuration's folder.
  std::optional<std::string> path(const Node& node);
  // Complains when a file cannot be read by this process.
  void require_readable(const Node& node, const std::string& path);
  // The same, and when others may read it.
  void require_private(const Node& node, const std::string& path);
  // The same of a TLS key.
  void require_private_key(const Node& node, const std::string& path);
  // Complains when a variable is not set.
  void require_variable(const Node& node, const std::string& name);
  // The file of a credential that the service manager hands over (LoadCredential= of systemd.exec(5));
  // complains when there is none.
  std::string credential(const Node& node, const std::string& name);
  // Complains about a clear-text secret in the file when others may read that.
  void literal_secret(const Node& node);

  // While one lives, what is read names something outside of the configuration: without `secrets` a variable
  // need not be set there, and the text is what is written.
  class Outside {
   public:
    explicit Outside(Reader& reader) : depth_(reader.outside_) { ++depth_; }
    Outside(const Outside&) = delete;
    Outside& operator=(const Outside&) = delete;
    ~Outside() { --depth_; }

   private:
    int& depth_;
  };

  // The keys passed on the way down, for messages: "upstreams.office.oauth2".
  void enter(std::string_view key) { way_.push_back(key); }
  void leave() { way_.pop_back(); }
  std::string way_to(std::string_view key) const;

  std::vector<Diagnostic> errors;
  std::vector<Diagnostic> warnings;

 private:
  void demand_private(const Node& node, const std::string& path,
                      bool (*others_may)(const std::string&, const struct stat&));
  Diagnostic diagnostic(const Place& place, std::string text) const;

  std::string file_;
  std::filesystem::path folder_;
  const Environment& environment_;
  bool secrets_;
  int outside_ = 0;
  std::optional<struct stat> status_;
  std::vector<std::string_view> way_;
};

// One row of a section's table: the key, and how it is read into the section.
template <class T>
struct Key {
  using Read = std::function<void(Reader&, const Node&, T&)>;

  // Constructors, because GCC 12 fails on a default member initializer here.
  Key(std::string_view key_name, Read reads) : name(key_name), read(std::move(reads)) {}
  Key(std::string_view key_name, Read reads, std::vector<KeyRow> rows)
      : name(key_name), read(std::move(reads)), below(std::move(rows)) {}

  std::string_view name;
  Read read;                  // empty: the name is only reserved
  std::vector<KeyRow> below;  // the rows under it, their paths relative
};
template <class T>
using Keys = std::vector<Key<T>>;

// A section is a struct that has a table of its own.
template <class T>
concept Section = requires(const T* section) {
  keys_of(section);
};

// --- single values: each reads a node or complains --------------------------------------------------------

void read(Reader& reader, const Node& node, std::string& out);
void read(Reader& reader, const Node& node, bool& out);
void read(Reader& reader, const Node& node, double& out);
void read(Reader& reader, const Node& node, std::uint16_t& out);  // a port
void read(Reader& reader, const Node& node, std::uint32_t& out);  // a count, 1 or more
void read(Reader& reader, const Node& node, Bytes& out);
void read(Reader& reader, const Node& node, std::chrono::milliseconds& out);
void read(Reader& reader, const Node& node, std::chrono::seconds& out);
void read(Reader& reader, const Node& node, Rate& out);
void read(Reader& reader, const Node& node, Quota& out);
void read(Reader& reader, const Node& node, Network& out);
void read(Reader& reader, const Node& node, SecretSource& out);

void complain_word(Reader& reader, const Node& node, const std::vector<std::string_view>& known);

// A key that takes one of a few words.
template <class Words, class E>
void read_word(Reader& reader, const Node& node, const Words& words, E& out) {
  const std::optional<std::string> text = reader.text(node, "a word");
  if (!text) return;
  std::vector<std::string_view> known;
  for (const auto& [word, value] : words) {
    known.push_back(word);
    if (word != *text) continue;
    out = value;
    return;
  }
  complain_word(reader, node, known);
}

template <class E>
requires std::is_enum_v<E>
void read(Reader& reader, const Node& node, E& out) {
  read_word(reader, node, words_of(E{}), out);
}

// --- sections ---------------------------------------------------------------------------------------------

// Nothing after a key is an empty map or list: what a section becomes when all of it is commented out.
bool expect_map(Reader& reader, const Node& node);
bool expect_list(Reader& reader, const Node& node);
void complain_unknown(Reader& reader, const Entry& entry, const std::vector<std::string_view>& known);
void complain_reserved(Reader& reader, const Entry& entry);

template <class T>
std::vector<std::string_view> supported(const Keys<T>& keys) {
  std::vector<std::string_view> names;
  for (const Key<T>& key : keys)
    if (key.read) names.push_back(key.name);
  return names;
}

template <class T>
void read_keys(Reader& reader, const Node& node, const Keys<T>& keys, T& out) {
  if (!expect_map(reader, node)) return;
  for (const Entry& entry : node.entries) {
    const auto key = std::ranges::find(keys, entry.key, &Key<T>::name);
    if (key == keys.end()) {
      complain_unknown(reader, entry, supported(keys));
    } else if (!key->read) {
      complain_reserved(reader, entry);
    } else {
      reader.enter(entry.key);
      key->read(reader, entry.value, out);
      reader.leave();
    }
  }
}

template <Section T>
void read(Reader& reader, const Node& node, T& out) {
  if constexpr (requires { out.where; }) out.where = node.place.where;
  read_keys(reader, node, keys_of(&out), out);
}

template <class T>
void read(Reader& reader, const Node& node, std::optional<T>& out) {
  const std::size_t before = reader.errors.size();
  T value{};
  read(reader, node, value);
  if (reader.errors.size() == before) out = std::move(value);
}

// A list of sections has one element for each node, bad or not (check.cpp walks them in step); a list of
// plain values may be written as one value without brackets.
template <class T>
void read(Reader& reader, const Node& node, std::vector<T>& out) {
  out.clear();
  if (!Section<T> && node.kind == Node::Kind::scalar) {
    read(reader, node, out.emplace_back());
    return;
  }
  if (!expect_list(reader, node)) return;
  for (const Node& item : node.items) read(reader, item, out.emplace_back());
}

// Of two limits that count the same in the same time one is too many.
void read(Reader& reader, const Node& node, std::vector<Rate>& out);
void read(Reader& reader, const Node& node, std::vector<Quota>& out);

// A map from names to sections, in the file's order; each section keeps its name.
template <Section T>
void read_named(Reader& reader, const Node& node, std::vector<T>& out) {
  if (!expect_map(reader, node)) return;
  for (const Entry& entry : node.entries) {
    T& section = out.emplace_back();
    section.name = entry.key;
    reader.enter(entry.key);
    read(reader, entry.value, section);
    reader.leave();
    section.where = entry.place.where;
  }
}

// --- rows -------------------------------------------------------------------------------------------------

// The paths of a table, each after `prefix`, and of the tables below it.
template <class T>
std::vector<KeyRow> rows(const Keys<T>& keys, const std::string& prefix) {
  std::vector<KeyRow> result;
  for (const Key<T>& key : keys) {
    const std::string path = prefix + std::string(key.name);
    result.push_back({path, static_cast<bool>(key.read)});
    for (const KeyRow& row : key.below) result.push_back({path + "." + row.path, row.supported});
  }
  return result;
}

// The paths under a key whose field has this type: none, unless it is a section or a list of sections.
template <class M>
std::vector<KeyRow> rows_below(const M* member) {
  if constexpr (Section<M>)
    return rows(keys_of(member), "");
  else
    return {};
}
template <class M>
std::vector<KeyRow> rows_below(const std::optional<M>*) {
  return rows_below(static_cast<const M*>(nullptr));
}
template <class M>
std::vector<KeyRow> rows_below(const std::vector<M>*) {
  if constexpr (Section<M>)
    return rows(keys_of(static_cast<const M*>(nullptr)), "*.");
  else
    return {};
}

// The row of a key that is one field.
template <class T, class M>
Key<T> key(std::string_view name, M T::*field) {
  const auto into = [field](Reader& reader, const Node& node, T& out) { read(reader, node, out.*field); };
  return {name, into, rows_below(static_cast<const M*>(nullptr))};
}

// The row of a key that is a name kept free.
template <class T>
Key<T> reserved(std::string_view name) {
  return {name, {}};
}

}  // namespace relayd::config
