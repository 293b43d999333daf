// main.cf: the parameters of Postfix, with `$name` replaced as postconf(5) has it.
//
// Pure. A value is expanded when it is asked for, so that the options of a service (`-o` in master.cf) can
// stand before it. What cannot be known here is an error, not a guess.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.hpp"

namespace relayd::importing {

struct Setting {
  std::string name;
  std::string value;  // as it is written, its lines joined
  std::size_t line = 0;
};

// The parameters that stand before those of main.cf: `-o` of a service.
using Overrides = std::map<std::string, std::string>;

class MainCf {
 public:
  // `host`: this machine's name, for the defaults. An error names the line.
  static Result<MainCf> parse(std::string_view text, std::string host = "localhost");

  // In the file's order; of a name that is there twice the last, which is the one that counts.
  const std::vector<Setting>& settings() const { return settings_; }
  // The earlier ones, and lines that are no `name = value`.
  const std::vector<Setting>& overruled() const { return overruled_; }

  // Null: not set.
  const Setting* find(std::string_view name) const;
  // The value after replacement, else Postfix's default; empty where it has none.
  Result<std::string> get(std::string_view name, const Overrides& overrides = {}) const;
  // The same for a text.
  Result<std::string> expand(std::string_view text, const Overrides& overrides = {}) const;

 private:
  struct Expansion;
  std::string raw(std::string_view name, const Overrides& overrides, bool& known) const;
  std::string default_of(std::string_view name, bool& known) const;
  void expand(std::string_view text, Expansion& expansion, int depth) const;
  void replace(std::string_view inside, Expansion& expansion, int depth) const;

  std::vector<Setting> settings_;
  std::vector<Setting> overruled_;
  std::map<std::string, std::size_t, std::less<>> index_;  // by name
  std::string host_;
};

}  // namespace relayd::importing
