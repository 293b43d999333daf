// relayd dkim keygen: makes a key that signs, and prints its record and its place in the configuration.
#include <fmt/format.h>
#include <sysexits.h>

#include <filesystem>

#include "commands.hpp"
#include "new_file.hpp"
#include "records.hpp"
#include "shared/config/value.hpp"
#include "shared/config/yaml_text.hpp"
#include "shown.hpp"

namespace relayd::command {

namespace {

using crypto::SigningKey;

int fail(int status, std::string_view text) {
  fmt::print(stderr, "relayd: {}\n", shown(text));
  return status;
}

// A file of its own, for its owner alone. What is there already stays: it may be a key that signs.
int write_key(const std::string& path, const Secret& pem) {
  const std::string failure = write_new_file(path, pem.reveal(), 0600);
  return failure.empty() ? EX_OK : fail(EX_CANTCREAT, failure);
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
      config::yaml_quoted(domain), config::yaml_quoted(selector), config::yaml_quoted(path));
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
