// Behaviours: what can go wrong at a provider, by name, for its fake to do.
//
// Beside the path; for `relayd sandbox`. A provider's own are in its file in lib/providers; here are those of
// any provider, in the words of other servers, where its own words are not known. Pure.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "route/presets.hpp"

namespace relayd::fake {

using providers::Behaviour;

// Its own, then everybody's of other names.
std::vector<Behaviour> behaviours_of(const route::Provider& provider);

// Nothing for a name that is none of them.
std::optional<Behaviour> find_behaviour(const route::Provider& provider, std::string_view name);

// The names of those that refuse what is over a limit, in whatever mood the fake is.
inline constexpr std::string_view refuse_password = "refuse-password";
inline constexpr std::string_view null_sender = "null-sender";
inline constexpr std::string_view too_many_recipients = "too-many-recipients";
inline constexpr std::string_view too_large = "too-large";
inline constexpr std::string_view connection_used_up = "connection-used-up";

}  // namespace relayd::fake
