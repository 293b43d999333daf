// Matcher: which of many patterns an address falls under.
//
// Stands under the router, access rules and rewriting, so that one pattern means the same in all of them.
// Prepared once and asked for every message; the cost of asking does not grow with the number of rules. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace relayd::mail {

// Patterns are ADDRESS, @DOMAIN, @*.DOMAIN and *, compared by their lookup keys (lookup_key.hpp).
class Matcher {
 public:
  // How many patterns will be there, where that is known: a speed-up.
  void reserve(std::size_t patterns) { rules_.reserve(patterns); }

  // False when the pattern is there already; the first one stays.
  bool add(std::string_view pattern, std::size_t rule);

  // The rule of the most specific pattern, wherever it stands: the address itself, the address without its
  // "+tag", its domain, the nearest parent domain, everything. An empty address (null sender) falls under
  // "*".
  std::optional<std::size_t> find(std::string_view address) const;

  // The rule of that very pattern.
  std::optional<std::size_t> find_pattern(std::string_view pattern) const;

  // How much of an address a pattern names, the narrowest first.
  enum class Width { address, without_tag, domain, wider };
  struct Match {
    std::size_t rule = 0;
    Width width = Width::wider;
  };
  // The same with how narrow the pattern is.
  std::optional<Match> match(std::string_view address) const;

  bool empty() const { return rules_.empty(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::optional<std::size_t> lookup(std::string_view pattern) const;

  // By the keys of the patterns. No address is one of them by accident: none begins with '@'.
  std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> rules_;
};

}  // namespace relayd::mail
