// Rows: what replies mean, one kind of reply a line. The table itself is in rows.cpp.
//
// Read by judge() alone (verdict.cpp), from the first row to the last: a provider's own rows, then
// everybody's. Constant.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>

#include "settle/verdict.hpp"

namespace relayd::settle {

// A set of stages.
struct Stages {
  unsigned bits;
  constexpr bool has(Stage stage) const { return bits >> static_cast<unsigned>(stage) & 1u; }
};

struct Codes {
  int first;
  int last;
  constexpr bool has(int code) const { return first <= code && code <= last; }
};

// In a pattern: any subject, any detail. A status_class of 0 is any, too.
constexpr std::uint16_t open = 1000;

// Texts that are no text: the reply tells how long to wait; it names no id of the provider's.
constexpr std::string_view tells_a_wait = "try again in N seconds";
constexpr std::string_view without_id = "no id";

// What a row says beside the class.
struct Extra {
  std::chrono::seconds wait{};  // at least so long
  bool at_once = false;
};

struct Row {
  Stages stages;
  Codes codes;
  smtp::EnhancedCode enhanced;
  // Contained in what the reply says in its own words (reading.hpp), in any case; `*` stands for whatever is
  // between two parts; empty: any.
  std::string_view text;
  ReplyClass reply_class;
  Extra extra = {};
};

struct ProviderRow {
  std::string_view providers;  // names of presets, with spaces between them
  Row row;
};

std::span<const ProviderRow> provider_rows();
std::span<const Row> general_rows();  // the last one fits always

// Whether the provider is one of those; none is not.
bool is_one_of(std::string_view provider, std::string_view providers);

}  // namespace relayd::settle
