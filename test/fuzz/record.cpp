#include "queue/record.hpp"

#include "fuzz/targets.hpp"
#include "queue/codec.hpp"
#include "queue/history.hpp"
#include "queue/inspect.hpp"
#include "queue/replay.hpp"
#include "queue/segment.hpp"
#include "support/forgetting_disk.hpp"

namespace relayd::fuzz {

namespace {

using namespace relayd::queue;

constexpr std::uint64_t generation = 0x0123'4567'89ab'cdef;
constexpr std::size_t id_at = 16, type_at = 28, flags_at = 29;  // as FORMAT.md has them
constexpr std::size_t head = 4;  // of a record in the input: type, flags, id, length of its payload
const Clock now{SteadyTime(std::chrono::hours(1)), WallTime(std::chrono::seconds(1'790'000'000))};

std::string sealed(std::string record, std::uint32_t batch = segment_start) {
  record.resize((record.size() + record_alignment - 1) / record_alignment * record_alignment);
  seal(record, generation, batch);
  return record;
}

// Takes a record off the input: nothing in it need make sense, but its checksum is right.
std::string take_record(std::string_view& input, std::uint32_t batch) {
  std::string record(record_header, '\0');
  record[type_at] = static_cast<char>(input[0] & 7);
  record[flags_at] = input[1];
  record[id_at] = input[2];
  const std::string_view payload = input.substr(head, static_cast<unsigned char>(input[3]));
  record += payload;
  input.remove_prefix(head + payload.size());
  return sealed(record, batch);
}

// What the record says, written again; empty when it says nothing.
std::string written_again(const std::string& bytes) {
  const std::optional<Record> record = parse_record(bytes, generation);
  demand(record && record->length == bytes.size(), "a sealed record is sound");
  if (const auto message = decode_message(*record)) {
    std::string text = begin_message() + std::string(message->body);
    finish_message(text, record->id, *message, message->envelope);
    rewrite_message(text, message->progress, message->in_doubt, message->held);
    return sealed(text);
  }
  if (const auto stored = decode_outcome(*record))
    return sealed(encode_outcome(record->id, stored->previous, stored->outcome, is_final(*record)));
  if (const auto event = decode_event(*record))
    return sealed(encode_event(record->type, record->id, event->previous, event->when, event->upstream));
  return {};
}

void round_trip(std::string_view input) {
  const std::string again = written_again(take_record(input, segment_start));
  demand(again.empty() || written_again(again) == again, "what is written is read as it was meant");
}

// A segment of such records, and of octets that are none.
std::string segment_of(std::string_view input) {
  std::string bytes = encode_header({1, generation, 0, 0});
  while (input.size() >= head) {
    const bool torn = input[0] & 8;
    const std::string record = take_record(input, static_cast<std::uint32_t>(bytes.size()));
    bytes += torn ? std::string(record.size(), '\1') : record;
  }
  return bytes;
}

void check(const SegmentTable& segments, Entry& entry) {
  read_history(segments, entry.where, entry.length, entry.last);
  RewriteOrder order{entry.where,
                     entry.length,
                     entry.last,
                     entry.attempts,
                     std::string(entry.doubted),
                     false,
                     entry.states.unpacked(),
                     now.wall,
                     now.wall};
  const std::optional<std::string> bytes = rewrite(segments, order);
  demand(bytes.has_value(), "what the index has can be written again");
  demand(!written_again(sealed(*bytes)).empty(), "and then be read");
}

void replay(std::string_view input) {
  test::ForgettingDisk disk;
  for (const char* directory : {"journal", "large", "quarantine"}) disk.make_directory(directory);
  disk.create(segment_path(1))->write_at(0, segment_of(input));
  const std::optional<Recovery> seen = inspect(disk, "queue");
  for (int start = 0; start < 2; ++start) {
    Index index;
    SegmentTable segments;
    Replay replay(disk, index, segments, std::chrono::hours(1), now);
    replay.run();
    demand(index.size() == seen->messages && replay.in_doubt() == seen->in_doubt,
           "every start finds the same");
    index.for_each([&segments](Entry& entry) { check(segments, entry); });
  }
}

}  // namespace

void record(std::string_view input) {
  if (input.size() >= head) round_trip(input);
  replay(input);
}

}  // namespace relayd::fuzz
