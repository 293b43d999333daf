#include "shared/net/gateway.hpp"

#include <arpa/inet.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <sstream>

namespace relayd::net {

std::string default_gateway(std::string_view table) {
  std::istringstream lines{std::string(table)};
  std::string line;
  std::getline(lines, line);  // the columns' names
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string interface;
    std::uint32_t destination = 0;
    std::uint32_t gateway = 0;  // in the order of the network
    words >> interface >> std::hex >> destination >> gateway;
    if (!words || destination != 0 || gateway == 0) continue;
    char text[INET_ADDRSTRLEN];
    return ::inet_ntop(AF_INET, &gateway, text, sizeof text);
  }
  return {};
}

std::string default_gateway() {
  std::ifstream file("/proc/net/route");
  return default_gateway(std::string(std::istreambuf_iterator<char>(file), {}));
}

}  // namespace relayd::net
