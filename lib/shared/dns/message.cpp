#include "shared/dns/message.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace relayd::dns {

namespace {

constexpr std::size_t header_size = 12;
constexpr std::size_t longest_name = 255;  // RFC 1035 2.3.4
constexpr std::size_t most_pointers = 64;
constexpr std::uint32_t longest_ttl = 86400;
constexpr unsigned class_in = 1;

const Error broken{"the DNS server's answer is broken"};

struct RawRecord {
  std::string owner;
  unsigned type = 0;
  std::uint32_t ttl = 0;
  std::size_t begin = 0;  // of its data
  std::size_t end = 0;
};

// Reads numbers where the caller has made sure that they are.
unsigned number(std::string_view message, std::size_t place) {
  return unsigned{static_cast<unsigned char>(message[place])} << 8 |
         static_cast<unsigned char>(message[place + 1]);
}

// RFC 2181 8: one with the highest bit set counts as 0.
std::uint32_t read_ttl(std::string_view message, std::size_t place) {
  const std::uint32_t ttl =
      std::uint32_t{number(message, place)} << 16 | std::uint32_t{number(message, place + 2)};
  return (ttl & 0x80000000U) != 0 ? 0 : std::min(ttl, longest_ttl);
}

void append_octet(std::string& name, unsigned char octet) {
  const bool plain = (octet >= '0' && octet <= '9') || (octet >= 'a' && octet <= 'z') || octet == '-' ||
                     octet == '_' || octet == '*';
  if (octet >= 'A' && octet <= 'Z')
    name.push_back(static_cast<char>(octet - 'A' + 'a'));
  else if (plain)
    name.push_back(static_cast<char>(octet));
  else
    name += fmt::format("\\{:03}", octet);
}

// The records of the answer section; nothing: it is broken.
std::optional<std::vector<RawRecord>> read_records(std::string_view message) {
  std::size_t place = header_size;
  for (unsigned left = number(message, 4); left > 0; --left) {
    if (!read_name(message, place) || message.size() - place < 4) return std::nullopt;
    place += 4;
  }
  std::vector<RawRecord> records;
  for (unsigned left = number(message, 6); left > 0; --left) {
    Result<std::string> owner = read_name(message, place);
    if (!owner || message.size() - place < 10) return std::nullopt;
    const std::size_t begin = place + 10;
    const std::size_t size = number(message, place + 8);
    if (message.size() - begin < size) return std::nullopt;
    if (number(message, place + 2) == class_in)
      records.push_back(
          {std::move(*owner), number(message, place), read_ttl(message, place + 4), begin, begin + size});
    place = begin + size;
  }
  return records;
}

std::optional<std::string> joined_strings(std::string_view data) {
  std::string text;
  while (!data.empty()) {
    const std::size_t length = static_cast<unsigned char>(data.front());
    data.remove_prefix(1);
    if (data.size() < length) return std::nullopt;
    text += data.substr(0, length);
    data.remove_prefix(length);
  }
  return text;
}

// The host at the end of a record's data, which it has to fill.
std::optional<std::string> host_at(std::string_view message, std::size_t place, std::size_t end) {
  Result<std::string> host = read_name(message, place);
  if (!host || place != end) return std::nullopt;
  return std::move(*host);
}

std::optional<ResourceRecord> read_record(std::string_view message, const RawRecord& raw, RecordType type) {
  const std::size_t numbers = type == RecordType::mx ? 2 : type == RecordType::srv ? 6 : 0;
  if (raw.end - raw.begin < numbers) return std::nullopt;
  ResourceRecord record;
  if (numbers >= 2) record.preference = static_cast<std::uint16_t>(number(message, raw.begin));
  if (numbers == 6) {
    record.weight = static_cast<std::uint16_t>(number(message, raw.begin + 2));
    record.port = static_cast<std::uint16_t>(number(message, raw.begin + 4));
  }
  std::optional<std::string> data = type == RecordType::txt
                                        ? joined_strings(message.substr(raw.begin, raw.end - raw.begin))
                                        : host_at(message, raw.begin + numbers, raw.end);
  if (!data) return std::nullopt;
  record.data = std::move(*data);
  return record;
}

// Goes to the end of the CNAMEs. A circle is one that takes more steps than there are records.
std::optional<Error> follow_aliases(std::string_view message, const std::vector<RawRecord>& records,
                                    Told& told) {
  for (std::size_t steps = 0; steps <= records.size(); ++steps) {
    const auto alias = std::ranges::find_if(records, [&told](const RawRecord& record) {
      return record.type == static_cast<unsigned>(RecordType::cname) && record.owner == told.name;
    });
    if (alias == records.end()) return std::nullopt;
    std::optional<std::string> target = host_at(message, alias->begin, alias->end);
    if (!target) return broken;
    told.name = std::move(*target);
    told.ttl = std::min(told.ttl, alias->ttl);
  }
  return Error{"it leads from CNAME to CNAME in a circle"};
}

}  // namespace

Result<std::string> read_name(std::string_view message, std::size_t& place) {
  std::string name;
  std::size_t at = place;
  std::size_t octets = 0;
  std::optional<std::size_t> behind;  // of the first pointer
  for (std::size_t pointers = 0; at < message.size();) {
    const std::size_t length = static_cast<unsigned char>(message[at]);
    if (length == 0) {
      place = behind.value_or(at + 1);
      return name;
    }
    if (length >= 0xc0) {
      if (message.size() - at < 2 || ++pointers > most_pointers) return broken;
      if (!behind) behind = at + 2;
      at = number(message, at) & 0x3fffU;
      continue;
    }
    octets += length + 1;
    if (length > 63 || octets >= longest_name || message.size() - at <= length) return broken;
    if (!name.empty()) name.push_back('.');
    for (const char octet : message.substr(at + 1, length))
      append_octet(name, static_cast<unsigned char>(octet));
    at += length + 1;
  }
  return broken;
}

Result<Told> read_answer(std::string_view message, std::string_view asked, RecordType type) {
  const bool is_answer =
      message.size() >= header_size && (static_cast<unsigned char>(message[2]) & 0x80) != 0;
  if (!is_answer) return Error{"what the DNS server sends is no answer"};
  const auto records = read_records(message);
  if (!records) return broken;
  Told told{.name = std::string(asked), .records = {}, .ttl = longest_ttl};
  if (std::optional<Error> error = follow_aliases(message, *records, told)) return std::move(*error);
  bool foreign = false;
  for (const RawRecord& raw : *records) {
    if (raw.type != static_cast<unsigned>(type)) continue;
    foreign = foreign || raw.owner != told.name;
    if (raw.owner != told.name) continue;
    std::optional<ResourceRecord> record = read_record(message, raw, type);
    if (!record) return broken;
    told.ttl = std::min(told.ttl, raw.ttl);
    told.records.push_back(std::move(*record));
  }
  if (foreign && told.records.empty()) return Error{"the DNS server answers for another name"};
  return told;
}

}  // namespace relayd::dns
