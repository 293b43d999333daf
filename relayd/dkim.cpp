// relayd dkim keygen: makes a key that signs, and prints its record and its place in the configuration.
#include <fcntl.h>
#include <fmt/format.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "commands.hpp"
#include "records.hpp"
#include "shared/config/value.hpp"
#include "shown.hpp"

namespace relayd::command {

namespace {

using crypto::SigningKey;

int fail(int status, std::string_view text) {
  fmt::print(stderr, "relayd: {}\n", shown(text));
  return status;
}

// All of it and on disk; else an errno.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno != EINTR) return errno;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
  return ::fsync(fd) == 0 ? 0 : errno;
}

// A file of its own, for its owner alone. What is there already stays: it may be a key that signs.
int write_key(const std::string& path, const Secret& pem) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return fail(EX_CANTCREAT, fmt::format("cannot make {}: {}", path, std::strerror(errno)));
  int failure = write_all(fd, pem.reveal());
  if (::close(fd) != 0 && failure == 0) failure = errno;
  if (failure == 0) return EX_OK;
  ::unlink(path.c_str());
  return fail(EX_CANTCREAT, fmt::format("cannot write {}: {}", path, std::strerror(failure)));
}

// In double quotes, as YAML reads it.
std::string yaml_text(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

void print_what_to_do(const std::string& domain, const std::string& selector, const std::string& path,
                      const SigningKey& key) {
  const std::string name = dns::dkim_name(selector, domain);
  const std::string record = dns::dkim_record(public_half(domain, selector, key));
  std::string text = fmt::format("The record, for a zone file:\n\n{}\n", zone_line(name, record));
  text += fmt::format("The same for a form that asks for name and text of a TXT record:\n\n{}\n{}\n\n", name,
                      record);
  text += fmt::format(
      "For relayd.yaml, once DNS shows the record:\n\ndkim:\n  - domain: {}\n    selector: {}\n"
      "    key: {}\n\n",
      yaml_text(domain), yaml_text(selector), yaml_text(path));
  text += fmt::format("The key is in {} (mode 0600): the user that relayd runs as must own it.\n", path);
  fmt::print("{}", shown_lines(text));
}

}  // namespace

int dkim_keygen(const Options& options) {
  const Result<std::string> domain = config::parse_signing_domain(options.domain);
  if (!domain) return fail(EX_USAGE, domain.error());
  const Result<std::string> selector = config::parse_selector(options.selector);
  if (!selector) return fail(EX_USAGE, selector.error());
  const std::string file =
      options.output.empty() ? fmt::format("{}.{}.pem", *selector, *domain) : options.output;
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(file, error);
  if (error) return fail(EX_CANTCREAT, fmt::format("{}: {}", file, error.message()));
  const auto type = options.key_type == "ed25519" ? SigningKey::Type::ed25519 : SigningKey::Type::rsa;
  const Secret pem = SigningKey::generate(type);
  if (const int failed = write_key(path.string(), pem); failed != EX_OK) return failed;
  print_what_to_do(*domain, *selector, path.lexically_normal().string(), **SigningKey::parse(pem.reveal()));
  return EX_OK;
}

}  // namespace relayd::command
