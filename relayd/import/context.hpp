// What all parts of an import share: the files that were read, the draft, and the report.
//
// Every parameter that a part has dealt with is marked; what nobody has marked is reported at the end.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "import/draft.hpp"
#include "import/main_cf.hpp"
#include "import/maps.hpp"
#include "import/master_cf.hpp"
#include "import/report.hpp"

namespace relayd::importing {

struct Facts {
  std::string host;  // this machine's name
  bool has_ipv6 = true;
};

class Context {
 public:
  Context(const MainCf& of_main, const MasterCf& of_master, MapReader reader, Facts known)
      : main(of_main), master(of_master), maps(std::move(reader)), facts(std::move(known)) {}

  // The value after replacement. One that cannot be known is reported, and empty here.
  std::string value(std::string_view name, const Overrides& overrides = {});
  // "yes" of Postfix.
  bool flag(std::string_view name, const Overrides& overrides = {});
  bool is_set(std::string_view name) const { return main.find(name) != nullptr; }
  Place place(std::string_view name) const;
  // The tables that a parameter names; those that cannot be used are reported.
  const std::vector<Map>& tables(std::string_view name, const Overrides& overrides = {},
                                 bool aliases = false);
  // An address as Postfix completes it: with `myorigin` behind it where it has no domain.
  std::string completed(std::string_view address);

  void mark(std::string_view name) { marked_.emplace(name); }
  bool is_marked(std::string_view name) const { return marked_.contains(name); }
  // Marks the parameter, and reports it where it is set.
  void carried(std::string_view name, std::string_view text);
  void left(std::string_view name, std::string_view text);

  const MainCf& main;
  const MasterCf& master;
  MapReader maps;
  Facts facts;
  Draft draft;
  Report report;

 private:
  std::set<std::string, std::less<>> marked_;
  std::set<std::string, std::less<>> unknown_;                 // whose value cannot be known, and is reported
  std::map<std::string, std::vector<Map>, std::less<>> read_;  // tables, by what names them
};

// The parts, in their order.
void import_routes(Context& context);
void import_intake(Context& context);
void import_addresses(Context& context);
void import_rest(Context& context);

}  // namespace relayd::importing
