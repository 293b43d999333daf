// Control: which control fields each provider acts on, and which provider an upstream is.
//
// Stands beside the presets: relay asks here and hands the answers to rewrite. Pure; what it returns lives as
// long as the program.
#pragma once

#include <vector>

#include "route/upstream.hpp"
#include "shared/mail/control_field.hpp"

namespace relayd::route {

// Of every provider that has some.
const std::vector<const mail::ControlFields*>& control_fields();

// Of the provider that this upstream is: its preset's, else that of whoever its host belongs to. Null: none.
const mail::ControlFields* control_fields_of(const Upstream& upstream);

}  // namespace relayd::route
