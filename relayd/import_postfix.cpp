#include "import_postfix.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>

#include "commands.hpp"
#include "import/context.hpp"
#include "init.hpp"
#include "new_file.hpp"
#include "relay/setup.hpp"
#include "shared/config/environment.hpp"
#include "shown.hpp"

namespace relayd::command {

namespace {

namespace fs = std::filesystem;
using importing::Context;

constexpr std::size_t longest_file = 16 << 20;
constexpr int most_passes = 100;

int fail(int status, std::string_view text) {
  fmt::print(stderr, "relayd: {}\n", shown(text));
  return status;
}

// A regular file; no other kind can hold the command up.
Result<std::string> read_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return Error{std::strerror(errno)};
  std::string text, failure;
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
    failure = "it is no regular file";
  else if (status.st_size > static_cast<off_t>(longest_file))
    failure = "it is larger than 16 MiB";
  std::array<char, 65536> piece;
  while (failure.empty()) {
    const ssize_t count = ::read(fd, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) failure = std::strerror(errno);
    if (count <= 0) break;
    text.append(piece.data(), static_cast<std::size_t>(count));
    if (text.size() > longest_file) failure = "it is larger than 16 MiB";
  }
  ::close(fd);
  if (!failure.empty()) return Error{failure};
  return text;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 && name[0] ? name.data() : "localhost";
}

// Leaves out what relayd's own check refuses; false: an error that leaving out does not cure.
bool mend(Context& context, const std::string& heading, const fs::path& file) {
  for (int i = 0; i < most_passes; ++i) {
    SetupResult made = make_setup(
        config::load_text(context.draft.text(heading), file.string(), config::process_environment()));
    if (made.setup) return true;
    std::map<std::size_t, std::string> complaints;
    for (const config::Diagnostic& error : made.errors)
      complaints.emplace(static_cast<std::size_t>(std::max(0, error.where.line)), error.text);
    if (context.draft.drop(heading, complaints, context.report) > 0) continue;
    print(made.errors);
    return false;
  }
  fmt::print(stderr, "relayd: leaving out what it refuses did not come to an end\n");
  return false;
}

// Writes the files and checks them; what it made goes again where that fails.
int write(Context& context, const std::string& heading, const fs::path& file) {
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  std::vector<std::string> made;
  const auto undo = [&made](int status) {
    for (const std::string& path : made) ::unlink(path.c_str());
    return status;
  };
  for (const importing::SecretFile& secret : context.draft.secrets()) {
    const std::string path = file.parent_path() / secret.name;
    const std::string failure = write_new_file(path, secret.text.reveal(), 0600, owner_of_secrets());
    if (!failure.empty()) return undo(fail(EX_CANTCREAT, failure));
    made.push_back(path);
  }
  const auto refused = [&](int status) {
    fmt::print("\n{}\nNothing was written.\n", shown_lines(context.report.text()));
    return undo(status);
  };
  if (!mend(context, heading, file)) return refused(EX_CONFIG);
  const std::string failure = write_new_file(file, context.draft.text(heading), 0644);
  if (!failure.empty()) return undo(fail(EX_CANTCREAT, failure));
  made.push_back(file);
  if (const int status = run_self({"check", "-c", file.string()}); status != EX_OK) return refused(status);
  fmt::print("\n{}", shown_lines(context.report.text()));
  for (const std::string& path : made) fmt::print("wrote {}\n", shown(path));
  return context.report.left_out() ? 1 : EX_OK;
}

}  // namespace

int import_postfix(const ImportOptions& options) {
  const fs::path folder = options.directory;
  const fs::path file =
      fs::absolute(options.output.empty() ? default_config : options.output).lexically_normal();
  const Result<std::string> main_text = read_file(folder / "main.cf");
  if (!main_text)
    return fail(EX_DATAERR, fmt::format("{}: {}", (folder / "main.cf").string(), main_text.error()));
  const Result<importing::MainCf> main = importing::MainCf::parse(*main_text, host_name());
  if (!main) return fail(EX_DATAERR, fmt::format("{}: {}", (folder / "main.cf").string(), main.error()));
  const Result<std::string> master_text = read_file(folder / "master.cf");
  if (!master_text)
    return fail(EX_DATAERR, fmt::format("{}: {}", (folder / "master.cf").string(), master_text.error()));
  const Result<importing::MasterCf> master = importing::parse_master_cf(*master_text);
  if (!master)
    return fail(EX_DATAERR, fmt::format("{}: {}", (folder / "master.cf").string(), master.error()));
  std::error_code error;
  if (fs::exists(fs::symlink_status(file, error)))
    return fail(EX_CANTCREAT, fmt::format("{} is there already, and stays as it is", file.string()));

  Context context(*main, *master, {read_file, {}, "hash"},
                  {host_name(), fs::exists("/proc/net/if_inet6", error)});
  if (context.is_set("default_database_type")) {
    context.maps.default_type = context.value("default_database_type");
    context.carried("default_database_type", "the type of tables that name none");
  }
  importing::import_routes(context);
  importing::import_intake(context);
  importing::import_addresses(context);
  importing::import_rest(context);
  if (!context.draft.has(importing::Section::upstreams)) {
    fmt::print("{}", shown_lines(context.report.text()));
    return fail(
        1, "no upstream could be carried over, so nothing is written; `relayd init` makes a configuration");
  }
  const std::string heading = fmt::format(
      "# relayd, as `relayd import-postfix` made it of {}. Every key: config.example.yaml.\n"
      "# Rows of Postfix's tables stand here; those files are no longer read. After a change: relayd check "
      "&& relayd reload.\n",
      shown(folder.string()));
  return write(context, heading, file);
}

}  // namespace relayd::command
