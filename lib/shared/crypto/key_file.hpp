// A signing key from its file.
//
// Beside the path, at a start or a reload. Not for pure rooms: it reads the disk.
#pragma once

#include <memory>
#include <string>

#include "shared/base/result.hpp"
#include "shared/crypto/signing_key.hpp"

namespace relayd::crypto {

// Blocks. An error names the file and what to do about it. Who may read the file is not asked here: the
// configuration has been checked for that.
Result<std::shared_ptr<const SigningKey>> read_signing_key(const std::string& path);

}  // namespace relayd::crypto
