#include "shared/config/accounts_file.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/config/check.hpp"
#include "shared/config/file.hpp"
#include "shared/config/value.hpp"

namespace relayd::config {

namespace {

constexpr std::size_t longest = 64 << 20;
constexpr std::size_t most_told = 100;  // faults: a file of another kind has one in every line

void add_account(Reader& reader, std::string_view line, int number, Config& config) {
  constexpr std::string_view separator = ":SCRAM-SHA-256$";
  const Place place{{number, 1}, config.accounts_file};
  const std::size_t end = line.find(separator);
  if (end == std::string_view::npos)
    return reader.error(
        place, "expected NAME:SCRAM-SHA-256$..., the second part as `relayd hash-password` prints it");
  Account account;
  account.name = line.substr(0, end);
  if (account.name.empty() || has_control_character(account.name))
    return reader.error(place, "the name of an account is a text without control characters");
  account.file = config.accounts_file;
  account.where = place.where;
  account.scram_sha_256.kind = SecretSource::Kind::literal;
  account.scram_sha_256.literal = Secret(std::string(line.substr(end + 1)));
  account.scram_sha_256.where = {number, static_cast<int>(end) + 2};
  check_account_name(reader, place, account);
  config.accounts.push_back(std::move(account));
}

void add_accounts(Reader& reader, std::string_view text, Config& config) {
  const std::size_t before = reader.errors.size();
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = ascii::trimmed(text.substr(0, end), ascii::line_space);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    add_account(reader, line, number, config);
    if (reader.errors.size() - before < most_told) continue;
    return reader.error({{1, 1}, config.accounts_file},
                        fmt::format("{} faults: the rest is not read", most_told));
  }
}

}  // namespace

void read_accounts_file(Reader& reader, const Node& root, Config& config) {
  if (config.accounts_file.empty() || !reader.demands_secrets()) return;
  const Node& node = *root.find("accounts_file");
  const std::size_t before = reader.errors.size();
  reader.require_private(node, config.accounts_file);
  if (reader.errors.size() > before) return;
  Result<std::string> text = read_trusted(config.accounts_file, longest);
  if (!text) return reader.error(node.place, text.error());
  add_accounts(reader, *text, config);
  wipe(*text);
}

}  // namespace relayd::config
