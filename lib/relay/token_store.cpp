#include "relay/token_store.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <memory>
#include <utility>

#include "shared/crypto/sha256.hpp"
#include "shared/disk/whole_file.hpp"

namespace relayd {

namespace {

constexpr std::size_t most_digits = 16;  // octets of a digest that name a file

bool others_may_use(disk::Disk& disk, const std::string& name) {
  const std::unique_ptr<disk::File> file = disk.open(name);
  struct stat status {};
  return file->descriptor() >= 0 && ::fstat(file->descriptor(), &status) == 0 && (status.st_mode & 077) != 0;
}

}  // namespace

// Names of upstreams and users may have any character.
std::string TokenStore::file_of(const TokenAccount& account) const {
  crypto::Sha256 digest;
  digest.update(account.upstream);
  digest.update(std::string_view("\0", 1));
  digest.update(account.username);
  const crypto::Digest octets = digest.finish();
  std::string name = directory_ == "." ? "" : directory_ + '/';
  for (std::size_t i = 0; i < most_digits; ++i) name += fmt::format("{:02x}", octets[i]);
  return name + ".json";
}

Result<std::optional<oauth::StoredToken>> TokenStore::read(const TokenAccount& account) {
  const std::string name = file_of(account);
  try {
    if (others_may_use(disk_, name))
      return Error{
          fmt::format("{} may be used by others than its owner: chmod 600 it, and sign in again", name)};
    const Secret text(disk::read_whole(disk_, name));
    Result<oauth::StoredToken> token = oauth::parse_stored(text.reveal());
    if (!token) return Error{fmt::format("{}: {}", name, token.error())};
    return std::optional(std::move(*token));
  } catch (const disk::DiskError& error) {
    if (error.code() == std::errc::no_such_file_or_directory) return std::optional<oauth::StoredToken>();
    return Error{fmt::format("{}: {}", name, error.what())};
  }
}

void TokenStore::write(const TokenAccount& account, const oauth::StoredToken& token) {
  if (directory_ != ".") {
    disk_.make_directory(directory_);
    disk_.sync_directory(".");
  }
  const Secret text = oauth::write_stored(token);
  std::string octets(text.reveal());
  try {
    disk::write_whole(disk_, file_of(account), octets);
  } catch (...) {
    wipe(octets);
    throw;
  }
  wipe(octets);
}

}  // namespace relayd
