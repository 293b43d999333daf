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
  record[type_at] = static_cast<char>(input[0] & 15);
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
    return sealed(text);
  }
  if (const auto stored = decode_outcome(*record))
    return sealed(encode_outcome(record->id, stored->previous, stored->outcome, stored->counted,
                                 is_final(*record), stored->owed));
  if (const auto event = decode_event(*record)) {
    if (record->type == RecordType::in_doubt)
      return sealed(encode_doubt(record->id, event->previous, event->when, event->doubt));
    if (record->type == RecordType::told)
      return sealed(encode_told(record->id, event->previous, event->when, event->told, is_final(*record)));
    return sealed(encode_event(record->type, record->id, event->previous, event->when));
  }
  if (const auto summary = decode_summary(*record)) return sealed(encode_summary(record->id, *summary));
  if (const auto checkpoint = decode_checkpoint(*record)) return sealed(encode_checkpoint(*checkpoint));
  if (const auto retired = decode_retired(*record)) return sealed(encode_retired(*retired));
  return {};
}

void round_trip(std::string_view input) {
  const std::string again = written_again(take_record(input, segment_start));
  demand(again.empty() || written_again(again) == again, "what is written is read as it was meant");
}

// A segment of such records, and of octets that are none.
std::string segment_of(std::string_view input, SegmentKind kind) {
  std::string bytes = encode_header({1, generation, 0, 0, kind});
  while (input.size() >= head) {
    const bool torn = input[0] & 16;
    const std::string record = take_record(input, static_cast<std::uint32_t>(bytes.size()));
    bytes += torn ? std::string(record.size(), '\1') : record;
  }
  return bytes;
}

// Both logs hold the same.
void replay(std::string_view input) {
  test::ForgettingDisk disk;
  for (const char* directory : {"journal", "state", "large", "quarantine"}) disk.make_directory(directory);
  disk.create("journal/0000000000000001.journal")->write_at(0, segment_of(input, SegmentKind::intake));
  disk.create("state/0000000000000001.state")->write_at(0, segment_of(input, SegmentKind::state));
  Recovery seen;
  try {
    Inspection inspection(disk, "queue");
    seen = inspection.found();
    inspection.for_each([](const InspectedMessage&) {});
  } catch (const QueueError& error) {
    demand(error.kind() == QueueError::Kind::broken, "only what a newer version wrote is refused");
    return;
  }
  for (int start = 0; start < 2; ++start) {
    Ground ground(disk, 0_B, 1_MiB);
    Index index;
    SegmentTable messages, states;
    Replay replay({disk, ground, index, messages, states}, std::chrono::hours(1), now);
    replay.run();
    demand(index.size() == seen.messages && replay.in_doubt == seen.in_doubt, "every start finds the same");
    index.for_each([&states, &index](Entry& entry) {
      read_history(states, entry.last);
      const std::string summary = encode_summary(entry.id(), index.summary_of(entry, now));
      demand(!written_again(sealed(summary)).empty(), "what the index has can be summed up, and read again");
    });
  }
}

}  // namespace

void record(std::string_view input) {
  if (input.size() >= head) round_trip(input);
  replay(input);
}

}  // namespace relayd::fuzz
