// SecretSource: where a secret of the configuration comes from, and where a value of it stands.
#pragma once

#include <string>
#include <vector>

#include "shared/base/result.hpp"
#include "shared/base/secret.hpp"

namespace relayd::config {

// Where in the file a value stands; line 0: not from a file (environment or default).
struct Location {
  int line = 0;
  int column = 0;
};

// Where a secret comes from. The clear text is fetched with read(), when it is needed.
struct SecretSource {
  enum class Kind { none, literal, file, environment, command };
  Kind kind = Kind::none;
  Secret literal;
  std::string name;                  // path of the file, or name of the variable
  std::vector<std::string> command;  // argv, run without a shell
  Location where;

  bool given() const { return kind != Kind::none; }
  // It names the same source, wherever it stands.
  bool is_same(const SecretSource& other) const {
    return kind == other.kind && literal == other.literal && name == other.name && command == other.command;
  }
  // Fetches the secret now; a single final newline is dropped. May block (file, command: at most 10 s): not
  // for the loop.
  Result<Secret> read() const;
};

}  // namespace relayd::config
