#include "watch/admin_request.hpp"

#include <algorithm>

#include "fuzz/targets.hpp"
#include "shared/mail/lookup_key.hpp"

namespace relayd::fuzz {

namespace {

void patterns(std::string_view pattern, std::string_view address) {
  demand(watch::fits("", address), "no pattern fits everything");
  const bool fits = watch::fits(pattern, address);
  demand(fits == watch::fits(mail::lookup_key(pattern), mail::lookup_key(address)),
         "spelling does not matter");
  demand(pattern.starts_with('@') || watch::fits(pattern, pattern), "an address fits itself");
}

}  // namespace

void admin_request(std::string_view input) {
  const std::size_t cut = cut_of(input);
  patterns(input.substr(0, cut), input.substr(cut));

  const Result<watch::Request> request = watch::parse_request(input);
  if (!request) {
    demand(!request.error().empty(), "a refusal says why");
    return;
  }
  const bool only_looks = request->command == "list" || request->command == "status";
  demand(only_looks || !request->ids.empty() || request->all || request->has_filter(),
         "no change of everything that nobody asked for");
  const std::string line = watch::to_line(*request);
  demand(std::ranges::count(line, '\n') == 1 && line.ends_with('\n'), "a request is one line");
  const Result<watch::Request> again = watch::parse_request(line);
  demand(again.ok() && watch::to_line(*again) == line, "a request is read as it was meant");
}

}  // namespace relayd::fuzz
