// dkim_sign DOMAIN SELECTOR KEYFILE…: puts a signature for each triple above the message on standard input.
// For tests that have others verify what rewrite signs.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "rewrite/dkim.hpp"
#include "rewrite/dkim_body.hpp"
#include "shared/crypto/signing_key.hpp"

namespace {

// The header with its empty line, or all of a message that has no body.
std::size_t header_size(const std::string& message) {
  if (message.starts_with("\r\n")) return 2;
  const std::size_t end = message.find("\r\n\r\n");
  return end == std::string::npos ? message.size() : end + 4;
}

std::string text_of(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) {
  using namespace relayd;
  std::vector<rewrite::DkimSigner> signers;
  for (int i = 1; i + 2 < argc; i += 3) {
    const auto key = crypto::SigningKey::parse(text_of(argv[i + 2]));
    if (!key) {
      std::fprintf(stderr, "%s\n", key.error().c_str());
      return 1;
    }
    signers.push_back({argv[i], argv[i + 1], *key, std::chrono::hours(24)});
  }
  const rewrite::DkimKeys keys(signers);
  const std::string message(std::istreambuf_iterator<char>(std::cin), {});
  const std::string header = message.substr(0, header_size(message));
  rewrite::BodyHash body;
  for (std::size_t at = header.size(); at < message.size(); at += 7)
    body.update(std::string_view(message).substr(at, 7));
  std::cout << rewrite::dkim_fields(keys.of_header(header), header, body.finish(), wall_now()) << message;
  return 0;
}
