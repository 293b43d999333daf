// Mend: finds the one wrong octet of a damaged record.
//
// The checksum of a record has 64 bits: of all that differ from what was read in one octet, the one that
// fits it is what was written. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relayd::queue {

// The record that begins `bytes` and goes on to their end at most, with its wrong octet put right; nothing
// when more is wrong, or the record is longer than 1 KiB. Takes up to 40 ms.
std::optional<std::string> mended_record(std::string_view bytes, std::uint64_t generation);

// True when they are equal, too.
bool differ_in_one_octet_at_most(std::uint64_t a, std::uint64_t b);

}  // namespace relayd::queue
