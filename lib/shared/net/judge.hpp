// Judge: which of a host's addresses may be connected to, where others than the operator have a say in them.
//
// NetDialer asks it after each lookup, and dials what it returns and nothing else: a name that means another
// address by the next lookup gains nothing.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace relayd::net {

// Of the addresses `found` for the host, those that may be dialled, at least one. Throws
// IoError{unreachable}.
using Judge =
    std::function<std::vector<std::string>(const std::string& host, std::vector<std::string> found)>;

// Leaves out what is IpKind::never. Of loopback and private networks stays only what the operator wrote: the
// host is that address, or is `localhost` for loopback; or all of it with `private_networks`.
std::vector<std::string> judge(const std::string& host, std::vector<std::string> found,
                               bool private_networks);

}  // namespace relayd::net
