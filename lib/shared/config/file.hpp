// A small file, whole. May block.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <string>

#include "shared/base/result.hpp"

namespace relayd::config {

// Of a configuration.
inline constexpr std::size_t longest_config = 16 << 20;

struct FileText {
  std::string text;
  struct stat status {};
};

// Fails with the system's reason, or when there is more than `limit` octets.
Result<FileText> read_file(const std::string& path, std::size_t limit);

// The folder on the way to a file that this process may not enter; empty: there is none.
std::string closed_folder(const std::string& path);

// What stands in the way of reading a file, after this errno; of rights also whose they are.
std::string why_unreadable(const std::string& path, int error);

// Whether nobody here can change the file's rights, as on a read-only mount of a container: then they are the
// choice of whoever started the container.
bool rights_are_fixed(const std::string& path);

// The text of a file that says where mail goes: a regular file that neither its group nor others may write.
Result<std::string> read_trusted(const std::string& path, std::size_t limit);

// Whether others than root and relayd may read a file: everybody, or a group other than the one by which
// alone relayd itself may, or the mode that stands for the access list of systemd's credentials.
bool others_may_read(const std::string& path, const struct stat& status);

// The same for a TLS key: Debian keeps those for the group ssl-cert.
bool others_may_read_key(const std::string& path, const struct stat& status);

}  // namespace relayd::config
