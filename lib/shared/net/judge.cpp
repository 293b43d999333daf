#include "shared/net/judge.hpp"

#include <fmt/format.h>

#include "shared/async/stream.hpp"
#include "shared/base/ip_kind.hpp"

namespace relayd::net {
namespace {

IpKind kind_of(const std::string& address) {
  return ip_kind(address).value_or(IpKind::never);
}

bool may_be_dialled(const std::string& host, const std::string& address, bool private_networks) {
  const IpKind kind = kind_of(address);
  if (kind == IpKind::open) return true;
  if (kind == IpKind::never) return false;
  return private_networks || host == address || (kind == IpKind::loopback && host == "localhost");
}

std::string refusal(const std::string& host, const std::vector<std::string>& found) {
  for (const std::string& address : found) {
    const IpKind kind = kind_of(address);
    if (kind == IpKind::never) continue;
    return fmt::format("{} has only the {} address {}: say `private: true` if that is meant", host,
                       kind == IpKind::loopback ? "loopback" : "private", address);
  }
  if (ip_kind(host))
    return fmt::format("{} is link-local, reserved or of a cloud's metadata: nothing is sent there", host);
  return fmt::format(
      "{} has only the address {}, which is link-local, reserved or of a cloud's metadata: nothing is "
      "sent there",
      host, found.empty() ? "" : found.front());
}

}  // namespace

std::vector<std::string> judge(const std::string& host, std::vector<std::string> found,
                               bool private_networks) {
  std::vector<std::string> allowed;
  for (const std::string& address : found)
    if (may_be_dialled(host, address, private_networks)) allowed.push_back(address);
  if (allowed.empty()) throw async::IoError(async::IoFault::unreachable, refusal(host, found));
  return allowed;
}

}  // namespace relayd::net
