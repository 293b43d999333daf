#include "rewrite/aliases.hpp"

#include <string>
#include <vector>

#include "fuzz/targets.hpp"
#include "rewrite/aliases_file.hpp"

namespace relayd::fuzz {

namespace {

constexpr std::size_t longest = 320;  // a local part, '@' and a domain

void expand(const rewrite::Aliases& aliases, const std::string& address) {
  const auto targets = aliases.expand(address);
  if (!targets) return;
  demand(!targets->empty(), "a recipient stands for somebody");
  demand(targets->size() <= rewrite::Aliases::most, "an expansion is bounded");
  for (const std::string& target : *targets) demand(target.size() <= longest, "a target is an address");
}

}  // namespace

// A file, which is also every list that it includes.
void aliases(std::string_view input) {
  const rewrite::AliasesFile file = rewrite::parse_aliases_file(
      input, "fuzz", [&input](const std::string&) -> Result<std::string> { return std::string(input); });
  std::vector<rewrite::Alias> list;
  for (const rewrite::AliasesFile::Entry& entry : file.entries) {
    demand(!entry.alias.name.empty(), "an alias has a name");
    demand(!file.faults.empty() || !entry.alias.targets.empty(), "an alias without targets is a fault");
    list.push_back(entry.alias);
  }
  const rewrite::Aliases aliases(list, {"o.example", "mail.o.example"});
  if (!aliases.faults().empty()) return;
  for (const rewrite::Alias& alias : list) {
    expand(aliases, alias.name);
    expand(aliases, alias.name + "@o.example");
    for (const std::string& target : alias.targets) expand(aliases, target);
  }
}

}  // namespace relayd::fuzz
