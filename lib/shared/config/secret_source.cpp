#include <fmt/format.h>

#include <chrono>
#include <cstdlib>

#include "shared/config/command.hpp"
#include "shared/config/config.hpp"
#include "shared/config/file.hpp"

namespace relayd::config {
namespace {

constexpr std::size_t max_secret = 64 * 1024;
constexpr std::chrono::seconds command_limit{10};

// Drops one final line end. A line end or NUL that is left would end a command of the dialogue too early, or
// be a sign that this is not the file that was meant. `origin` is for the error: the text itself never is.
Result<Secret> to_secret(std::string text, const std::string& origin) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  const bool several_lines = text.find_first_of(std::string_view("\0\r\n", 3)) != std::string::npos;
  Secret secret(std::move(text));
  if (several_lines) return Error{fmt::format("{}: a secret is one line without NUL", origin)};
  if (secret.empty()) return Error{fmt::format("{}: the secret is empty", origin)};
  return secret;
}

}  // namespace

Result<Secret> SecretSource::read() const {
  switch (kind) {
    case Kind::literal:
      return literal;
    case Kind::file: {
      Result<FileText> file = read_file(name, max_secret);
      if (!file) return Error{file.error()};
      return to_secret(std::move(file->text), name);
    }
    case Kind::environment: {
      const char* const value = std::getenv(name.c_str());
      if (!value) return Error{fmt::format("the variable {} is not set", name)};
      return to_secret(value, name);
    }
    case Kind::command: {
      Result<std::string> output = run_command(command, command_limit, max_secret);
      if (!output) return Error{output.error()};
      return to_secret(std::move(*output), command.front());
    }
    case Kind::none:
      break;
  }
  return Error{"no secret is configured"};
}

}  // namespace relayd::config
