// newaliases: checks the aliases of the daemon's configuration, and has a running daemon read them.
//
// There is no database to build. Packages call it when they are installed, with no mail set up yet, so
// nothing to do is success.
#include <fmt/format.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "commands.hpp"
#include "daemon_address.hpp"
#include "reload.hpp"
#include "sendmail.hpp"
#include "shown.hpp"

namespace relayd::command {

int newaliases(const Options& options) {
  const std::optional<std::filesystem::path> file = config_file(options);
  if (!file && !starts_by_environment()) return EX_OK;
  if (file && ::access(file->c_str(), R_OK) != 0) {
    const int status = errno == EACCES ? EX_NOPERM : EX_CONFIG;
    fmt::print(stderr, "newaliases: cannot read the configuration {}: {}\n", shown(file->string()),
               std::strerror(errno));
    return status;
  }
  const std::shared_ptr<const config::Config> config = usable_config(options);
  if (!config) return EX_CONFIG;
  const TablesResult tables = make_tables(*config);
  const AliasesResult aliases = make_aliases(*config, tables.tables);
  for (const auto* errors : {&tables.errors, &aliases.errors}) print(*errors);
  if (!tables.errors.empty() || !aliases.errors.empty()) return EX_CONFIG;
  return reload_at(daemon_socket(options, *config)).value_or(EX_OK);
}

}  // namespace relayd::command
