#include <algorithm>
#include <string>
#include <vector>

#include "fuzz/targets.hpp"
#include "rewrite/addresses.hpp"

namespace relayd::fuzz {

void missing_domains(std::string_view input) {
  constexpr std::string_view domain = "@example.com";
  const std::vector<std::size_t> places = rewrite::missing_domains(input, domain.size());
  demand(std::ranges::is_sorted(places), "places come in their order");
  demand(std::ranges::adjacent_find(places) == places.end(), "a domain is put in once");
  std::string completed(input);
  for (auto place = places.rbegin(); place != places.rend(); ++place) {
    demand(*place <= input.size(), "a place is in the header");
    completed.insert(*place, domain);
  }
  demand(rewrite::missing_domains(completed, domain.size()).empty(), "what was completed is complete");
  for (const std::size_t place : places) {
    demand(std::string_view(completed).substr(place).starts_with(domain), "a domain stands at its place");
    completed.erase(place, domain.size());
  }
  demand(completed == input, "nothing but domains is put in");
}

}  // namespace relayd::fuzz
