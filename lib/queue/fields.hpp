// Fields: what several types of records have in common, put into a record and taken out of one. FORMAT.md
// draws the bytes.
//
// Private to record.cpp and record_logs.cpp. Pure; a Reader that is not sound gives values that mean nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "queue/codec.hpp"
#include "queue/record.hpp"

namespace relayd::queue {

// Bits of the flags in a record header; their meaning depends on the type.
constexpr std::uint8_t flag_by_reference = 1, flag_in_doubt = 2, flag_held = 4, flag_final = 8,
                       flag_counted = 16, flag_owed = 32, flag_events = 64;

std::uint64_t to_number(WallTime time);
// What cannot have been a time must not overflow a clock, nor what is added to it.
WallTime to_time(std::uint64_t number);

// A record without its seal, to which its fields are appended; pad() comes last.
std::string begin_record(RecordType type, MessageId id, std::uint8_t flags = 0);
void pad(std::string& record);

void put_outcome(std::string& out, const Outcome& outcome);
// Nothing when it is not whole or names a state that does not exist.
std::optional<Outcome> take_outcome(Reader& reader);

void put_recipients(std::string& out, const std::vector<std::uint32_t>& recipients);
std::vector<std::uint32_t> take_recipients(Reader& reader);
// Of what follows; none where the record ends, as one of an earlier revision does, perhaps with padding.
std::uint32_t take_count(Reader& reader);

void put_position(std::string& out, Position position);
Position take_position(Reader& reader);

}  // namespace relayd::queue
