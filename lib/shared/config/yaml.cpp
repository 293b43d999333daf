#include "shared/config/yaml.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <unordered_map>
#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/config/yaml_pitfalls.hpp"

namespace relayd::config {
namespace {

// yaml-cpp counts from 0.
Location location(const YAML::Mark& mark) {
  return {mark.line + 1, mark.column + 1};
}

// Ends the reading: what follows could not be understood, or would cost too much.
struct Refused {
  YAML::Mark mark;
  std::string text;
};

std::size_t height(const Node& node) {
  std::size_t tallest = 0;
  for (const Node& item : node.items) tallest = std::max(tallest, height(item));
  for (const Entry& entry : node.entries) tallest = std::max(tallest, height(entry.value));
  return tallest + 1;
}

std::size_t size(const Node& node) {
  std::size_t total = 1;
  for (const Node& item : node.items) total += size(item);
  for (const Entry& entry : node.entries) total += size(entry.value);
  return total;
}

// Turns yaml-cpp's events into nodes. (Its own tree hides duplicate keys and expands aliases by reference.)
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, const std::string& file, std::vector<Diagnostic>& errors)
      : text_(text), file_(file), errors_(errors) {}

  Node take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) throw Refused{mark, "a second document: one file is one configuration"};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    finish(make(Node::Kind::null, mark), mark, anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_tag(mark, tag);
    Node node = make(Node::Kind::scalar, mark);
    node.text = value;
    finish(std::move(node), mark, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Refused{mark, "an alias inside the value that it names"};
    if (open_.size() + height(found->second) > max_depth) refuse_depth(mark);
    copies_ += size(found->second);
    if (copies_ > max_copies) throw Refused{mark, fmt::format("aliases of more than {} values", max_copies)};
    place(found->second, mark);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    start(Node::Kind::list, mark, tag, anchor);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    start(Node::Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { end(); }

 private:
  // A list or map whose end was not seen yet.
  struct Open {
    Node node;
    YAML::Mark mark;
    YAML::anchor_t anchor;
    std::optional<Entry> entry = {};                 // of a map: a key that waits for its value
    std::size_t key_at = 0;                          // of a map: where that key begins in the text
    bool duplicate = false;                          // of a map: that key came before; its value is dropped
    std::unordered_map<std::string, int> keys = {};  // of a map: the line of each
  };

  [[noreturn]] static void refuse_depth(const YAML::Mark& mark) {
    throw Refused{mark, fmt::format("nested more than {} levels deep", max_depth)};
  }
  // "?" is what a plain value has, "!" a quoted one.
  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") throw Refused{mark, "tags (!name) are not supported"};
  }

  void count(const YAML::Mark& mark, std::size_t more) {
    nodes_ += more;
    if (nodes_ > max_nodes) throw Refused{mark, fmt::format("more than {} values", max_nodes)};
  }

  Node make(Node::Kind kind, const YAML::Mark& mark) {
    count(mark, 1);
    Node node;
    node.kind = kind;
    node.place.where = location(mark);
    return node;
  }

  void start(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    refuse_tag(mark, tag);
    if (open_.size() >= max_depth) refuse_depth(mark);
    open_.push_back({.node = make(kind, mark), .mark = mark, .anchor = anchor});
  }
  void end() {
    Open done = std::move(open_.back());
    open_.pop_back();
    finish(std::move(done.node), done.mark, done.anchor);
  }

  void finish(Node node, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) {
      count(mark, size(node));
      anchors_[anchor] = node;
    }
    place(std::move(node), mark);
  }

  // Puts a complete node where it belongs: the root, an item, a key or the value of the key before.
  void place(Node node, const YAML::Mark& mark) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == Node::Kind::list) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.entry) {
      start_entry(parent, std::move(node), mark);
    } else {
      // yaml-cpp finds out that there is no value at the start of the next line.
      if (node.kind == Node::Kind::null) {
        node.place = parent.entry->place;
        if (is_only_a_comment(text_, parent.key_at))
          node.complaint = "a '#' behind a blank begins a comment: put the value in quotes";
      }
      parent.entry->value = std::move(node);
      if (!parent.duplicate) parent.node.entries.push_back(std::move(*parent.entry));
      parent.entry.reset();
    }
  }

  void start_entry(Open& parent, Node key, const YAML::Mark& mark) {
    if (key.kind != Node::Kind::scalar) throw Refused{mark, "a key must be plain text"};
    if (key.text == "<<") throw Refused{mark, "merge keys (<<) are not supported"};
    const auto [first, fresh] = parent.keys.emplace(key.text, mark.line + 1);
    parent.duplicate = !fresh;
    if (!fresh)
      errors_.push_back({file_, location(mark),
                         fmt::format("duplicate key '{}' (first in line {})", key.text, first->second)});
    parent.key_at = static_cast<std::size_t>(std::max(mark.pos, 0));
    parent.entry = Entry{std::move(key.text), {location(mark), {}}, {}};
  }

  std::string_view text_;
  const std::string& file_;
  std::vector<Diagnostic>& errors_;
  Node root_;
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, Node> anchors_;
  std::size_t nodes_ = 0;   // of the text
  std::size_t copies_ = 0;  // made by aliases
  int documents_ = 0;
};

// Where a character stands that no YAML text has (YAML 1.2, 5.1). yaml-cpp takes a NUL for the end of the
// text, and counts on.
std::optional<Location> find_control(std::string_view text) {
  Location where{1, 1};
  for (const char c : text) {
    if (ascii::is_control(c) && c != '\t' && c != '\n' && c != '\r') return where;
    where = c == '\n' ? Location{where.line + 1, 1} : Location{where.line, where.column + 1};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Node> parse_yaml(std::string_view text, const std::string& file,
                               std::vector<Diagnostic>& errors) {
  if (const std::optional<Location> control = find_control(text)) {
    errors.push_back({file, *control, "a control character: a configuration is text in UTF-8"});
    return {};
  }
  std::istringstream stream{std::string(text)};
  TreeBuilder builder(text, file, errors);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    return builder.take_root();
  } catch (const Refused& refused) {
    errors.push_back({file, location(refused.mark), refused.text});
  } catch (const YAML::Exception& problem) {
    Pitfall found = pitfall(text, problem.mark.is_null() ? Location{} : location(problem.mark), problem.msg);
    errors.push_back({file, found.where, std::move(found.text)});
  }
  return {};
}

}  // namespace relayd::config
