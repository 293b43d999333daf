#include "shared/config/readable.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shared/config/expand.hpp"
#include "shared/config/file.hpp"
#include "shared/config/keys.hpp"
#include "shared/config/load.hpp"
#include "shared/config/suggest.hpp"
#include "shared/config/yaml.hpp"

namespace relayd::config {
namespace {

// The sections that say where the daemon is.
bool locates_daemon(std::string_view key) {
  return key == "admin" || key == "queue";
}

// An unknown key may be one of them, misspelt. A command that then used the default place would ask, or
// change, another daemon.
bool may_locate_daemon(std::string_view key) {
  if (locates_daemon(key)) return false;
  return key.find("queue") != std::string_view::npos || key.find("admin") != std::string_view::npos ||
         !suggestion(key, {"admin", "queue"}).empty();
}

// A key at the very left begins a section, which ends before the next one.
bool begins_section(std::string_view line) {
  constexpr std::string_view others = " \t\r\n#-{}[]";
  return !line.empty() && others.find(line.front()) == std::string_view::npos;
}

std::vector<std::string_view> sections_of(std::string_view text) {
  std::vector<std::string_view> sections;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (begins_section(text.substr(at)) && at > begin) {
      sections.push_back(text.substr(begin, at - begin));
      begin = at;
    }
    at = std::min(text.find('\n', at), text.size() - 1) + 1;
  }
  sections.push_back(text.substr(begin));
  return sections;
}

// For a text that is not valid YAML: each of its sections by itself. `is_cut`: an invalid section may be one
// of those that locate the daemon, or contain one; or the sections cannot be told apart.
Node sections_as_map(std::string_view text, const std::string& name, bool& is_cut) {
  Node root;
  root.kind = Node::Kind::map;
  bool found_any = false;
  for (const std::string_view section : sections_of(text)) {
    std::vector<Diagnostic> ignored;  // they are known, by their place in the whole
    const std::optional<Node> node = parse_yaml(section, name, ignored);
    const bool is_map = node && node->kind == Node::Kind::map;
    found_any |= is_map;
    if (is_map)
      root.entries.insert(root.entries.end(), node->entries.begin(), node->entries.end());
    else
      is_cut |= section.find("queue") != std::string_view::npos ||
                section.find("admin") != std::string_view::npos ||
                may_locate_daemon(section.substr(0, section.find_first_of(": \t\n")));
  }
  is_cut |= !found_any;
  return root;
}

// Whether what these sections say can be read.
bool is_located(const Node& root, const std::string& name) {
  const Environment none;  // what it has is in the tree already
  Node part;
  part.kind = Node::Kind::map;
  for (const Entry& entry : root.entries)
    if (locates_daemon(entry.key)) part.entries.push_back(entry);
  Reader reader(name, none, false);
  Config config;
  read_config(reader, part, config);
  return reader.errors.empty();
}

}  // namespace

Readable read_tree(Reader reader, const Node& root, const std::string& file, bool is_cut) {
  Readable readable;
  Config& config = readable.config;
  config.file = file;
  read_config(reader, root, config);
  if (!root.has("listen")) config.listeners = default_listeners();
  readable.errors = std::move(reader.errors);
  const bool is_named = !config.admin.socket.empty() ||
                        (config.queue.directory != Queue().directory && !root.has("admin") && !is_cut);
  const bool is_misspelt =
      std::ranges::any_of(root.entries, [](const Entry& entry) { return may_locate_daemon(entry.key); });
  readable.hides_daemon = !is_named && (is_cut || is_misspelt || !is_located(root, file));
  return readable;
}

Readable read_what_can_be(std::string_view text, const std::string& name, const Environment& environment) {
  Reader reader(name, environment, false);
  bool is_cut = false;
  std::optional<Node> root = parse_yaml(text, name, reader.errors);
  if (!root) root = sections_as_map(text, name, is_cut);
  expand(*root, environment);
  if (!root->has("listen")) listen_by_environment(*root, environment);
  return read_tree(std::move(reader), *root, name, is_cut);
}

Readable read_what_can_be(const std::filesystem::path& path, const Environment& environment,
                          const Demands& demands) {
  const auto refuse = [&path](std::string text) {
    Readable readable;
    readable.config.listeners = default_listeners();
    readable.errors.push_back({path.string(), {}, std::move(text)});
    readable.hides_daemon = true;
    return readable;
  };
  const Result<FileText> file = read_file(path.string(), longest_config);
  if (!file) return refuse(file.error());
  if (const std::string fault = fault_of_owner(file->status, demands); !fault.empty()) return refuse(fault);
  return read_what_can_be(file->text, path.string(), environment);
}

}  // namespace relayd::config
