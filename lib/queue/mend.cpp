#include "queue/mend.hpp"

#include <algorithm>

#include "queue/checksum.hpp"
#include "queue/codec.hpp"
#include "queue/record.hpp"

namespace relayd::queue {

bool differ_in_one_octet_at_most(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t difference = a ^ b;
  for (unsigned octet = 0; octet < sizeof difference; ++octet)
    if ((difference & ~(std::uint64_t{0xff} << (octet * 8))) == 0) return true;
  return false;
}

std::optional<std::string> mended_record(std::string_view bytes, std::uint64_t generation) {
  constexpr std::size_t longest = 1 << 10;
  if (bytes.size() < record_header) return std::nullopt;
  std::string record(bytes.substr(0, longest + 1));
  store(&record[mark_at], mark(generation));
  if (parse_record(record, generation)) return record;
  if (record.size() <= longest) {
    const std::string length = record.substr(length_at, sizeof(std::uint32_t));
    store(&record[length_at], static_cast<std::uint32_t>(record.size()));
    if (parse_record(record, generation)) return record;
    record.replace(length_at, length.size(), length);
  }
  const std::uint32_t length = record_length(record);
  if (!may_be_record(bytes, generation) || length < record_header ||
      length > std::min(record.size(), longest))
    return std::nullopt;
  record.resize(length);
  const std::uint64_t wanted = checksum(std::string_view(record).substr(id_at), generation);
  if (differ_in_one_octet_at_most(wanted, load<std::uint64_t>(&record[checksum_at]))) {
    store(&record[checksum_at], wanted);
    return record;
  }
  for (std::size_t at = id_at; at < length; ++at) {
    const char was = record[at];
    for (int value = 0; value < 256; ++value) {
      record[at] = static_cast<char>(value);
      if (parse_record(record, generation)) return record;
    }
    record[at] = was;
  }
  return std::nullopt;
}

}  // namespace relayd::queue
