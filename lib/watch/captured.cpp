#include "watch/captured.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <queue>
#include <system_error>
#include <tuple>

#include "queue/message.hpp"
#include "shared/base/ascii.hpp"
#include "watch/answer.hpp"
#include "watch/captured_text.hpp"

namespace relayd::watch {

using nlohmann::json;

namespace {

constexpr std::size_t header_in_list = 64 * 1024;   // octets that are read of a message
constexpr std::size_t most_envelope = 1024 * 1024;  // likewise; a thousand recipients have room
constexpr std::size_t shown_recipients = 5;
constexpr std::size_t removed_in_a_step = 500;
constexpr std::string_view ending = ".json";  // of what is whole: the sandbox writes it last

struct Found {
  CapturedName name;
  const CapturedPlace* place = nullptr;

  auto key() const { return std::tie(name.id, name.part, place->upstream); }
  bool operator<(const Found& other) const { return key() < other.key(); }
};

struct IsNewer {
  bool operator()(const Found& a, const Found& b) const { return b < a; }
};
using Newest = std::priority_queue<Found, std::vector<Found>, IsNewer>;  // the oldest is on top

struct Closing {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

std::string fault_text(const std::string& directory, int error) {
  return fmt::format("{}: {}", directory, std::generic_category().message(error));
}

// The messages in a directory that are before `before`; where there are too many, the newest of them. Returns
// whether there were too many. Throws std::system_error; a directory that is not there is an empty one.
bool collect(const CapturedPlace& place, const std::optional<Found>& before, Newest& newest) {
  const std::unique_ptr<DIR, Closing> directory(::opendir(place.directory.c_str()));
  if (!directory && errno == ENOENT) return false;
  if (!directory) throw std::system_error(errno, std::generic_category(), place.directory);
  bool too_many = false;
  while (const dirent* const entry = ::readdir(directory.get())) {
    std::string_view text = entry->d_name;
    if (!text.ends_with(ending)) continue;
    text.remove_suffix(ending.size());
    const std::optional<CapturedName> name = captured_name(text);
    if (!name) continue;
    Found found{*name, &place};
    if (before && !(found < *before)) continue;
    newest.push(std::move(found));
    if (newest.size() <= most_examined) continue;
    newest.pop();
    too_many = true;
  }
  return too_many;
}

std::optional<Found> parse_cursor(std::string_view text, CapturedPlace& place) {
  const std::size_t slash = text.rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::optional<CapturedName> name = captured_name(text.substr(slash + 1));
  if (!name) return std::nullopt;
  place.upstream = text.substr(0, slash);
  return Found{*name, &place};
}

json describe_found(const Found& found, const CapturedMessage& message) {
  const Envelope envelope = read_envelope(message.envelope);
  const std::string text = read_piece(message.file, 0, header_in_list);
  const Heading heading = read_heading(text);
  json recipients = json::array();
  for (const std::string& recipient : envelope.recipients) {
    if (recipients.size() >= shown_recipients) break;
    recipients.push_back(recipient);
  }
  return {{"upstream", found.place->upstream},
          {"id", to_string(found.name)},
          {"time", time_text(message.kept)},
          {"sender", envelope.sender},
          {"recipients", std::move(recipients)},
          {"recipients_count", envelope.recipients.size()},
          {"from", heading.from},
          {"subject", heading.subject},
          {"size", message.size}};
}

// All that a search looks at.
bool fits(const json& row, const CapturedMessage& message, std::string_view query) {
  if (query.empty()) return true;
  for (const char* member : {"id", "from", "subject"})
    if (ascii::contains_ignoring_case(row.at(member).get_ref<const std::string&>(), query)) return true;
  const Envelope envelope = read_envelope(message.envelope);
  const auto has = [query](const std::string& address) {
    return ascii::contains_ignoring_case(address, query);
  };
  return has(envelope.sender) || std::ranges::any_of(envelope.recipients, has);
}

}  // namespace

std::optional<CapturedName> captured_name(std::string_view text) {
  const std::size_t dash = text.find('-');
  const std::string_view id = text.substr(0, dash);
  const Result<queue::MessageId> parsed = queue::parse_message_id(id);
  if (!parsed) return std::nullopt;
  if (dash == std::string_view::npos) return CapturedName{std::string(id)};
  const std::string_view digits = text.substr(dash + 1);
  constexpr std::size_t most_digits = 6;
  if (digits.empty() || digits.size() > most_digits || digits.front() == '0' ||
      !std::ranges::all_of(digits, ascii::is_digit))
    return std::nullopt;
  const unsigned part = static_cast<unsigned>(std::stoul(std::string(digits)));
  if (part < 2) return std::nullopt;
  return CapturedName{std::string(id), part};
}

std::string to_string(const CapturedName& name) {
  return name.part == 1 ? name.id : fmt::format("{}-{}", name.id, name.part);
}

std::string list_captured(const std::vector<CapturedPlace>& places, const CapturedQuestion& question) {
  CapturedPlace of_cursor;
  const std::optional<Found> before = parse_cursor(question.after, of_cursor);
  std::string lines;
  Newest newest;
  bool more = false;
  for (const CapturedPlace& place : places) {
    if (!question.upstream.empty() && place.upstream != question.upstream) continue;
    try {
      more = collect(place, before, newest) || more;
    } catch (const std::system_error& error) {
      lines += line_of({{"upstream", place.upstream}, {"error", error.what()}});
    }
  }
  std::vector<Found> found(newest.size());
  for (std::size_t i = found.size(); i > 0; newest.pop()) found[--i] = newest.top();

  std::size_t count = 0, examined = 0;
  for (; examined < found.size() && count < question.limit; ++examined) {
    const Found& one = found[examined];
    const std::optional<CapturedMessage> message = open_captured(one.place->directory, one.name);
    if (!message) continue;
    const json row = describe_found(one, *message);
    if (!fits(row, *message, question.query)) continue;
    lines += line_of(row);
    ++count;
  }
  json end = {{"end", true}, {"count", count}, {"more", more || examined < found.size()}};
  if (end["more"] && examined > 0)
    end["after"] =
        fmt::format("{}/{}", found[examined - 1].place->upstream, to_string(found[examined - 1].name));
  return lines + line_of(end);
}

namespace {

// A file that is no link, nor anything else than a file.
disk::Descriptor open_file(int directory, const std::string& name, struct stat& status) {
  disk::Descriptor file(::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (file.number() < 0 || ::fstat(file.number(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  return file;
}

}  // namespace

std::optional<CapturedMessage> open_captured(const std::string& directory, const CapturedName& name) {
  const disk::Descriptor place(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat status {};
  const std::string text = to_string(name);
  const disk::Descriptor envelope = open_file(place.number(), text + ".json", status);
  if (envelope.number() < 0) return std::nullopt;
  CapturedMessage message;
  message.kept = WallTime(std::chrono::seconds(status.st_mtim.tv_sec));
  message.envelope = read_piece(envelope, 0, most_envelope);
  message.file = open_file(place.number(), text + ".eml", status);
  if (message.file.number() < 0) return std::nullopt;
  message.size = static_cast<std::uint64_t>(status.st_size);
  return message;
}

std::string read_piece(const disk::Descriptor& file, std::uint64_t offset, std::size_t most) {
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) return {};
  const auto size = static_cast<std::uint64_t>(status.st_size);
  std::string text(offset < size ? std::min<std::uint64_t>(most, size - offset) : 0, '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t got =
        ::pread(file.number(), text.data() + done, text.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  text.resize(done);
  return text;
}

CapturedRemoval::CapturedRemoval(const std::string& directory) : directory_(::opendir(directory.c_str())) {
  if (!directory_ && errno != ENOENT) fault_ = fault_text(directory, errno);
}

bool CapturedRemoval::step() {
  if (!directory_) return false;
  for (std::size_t looked_at = 0; looked_at < removed_in_a_step; ++looked_at) {
    const dirent* const entry = ::readdir(directory_.get());
    if (!entry) return false;
    std::string_view text = entry->d_name;
    if (!text.ends_with(ending)) continue;
    text.remove_suffix(ending.size());
    if (const std::optional<CapturedName> name = captured_name(text)) remove(*name);
  }
  return true;
}

// The envelope last: where it is left, the message is found again.
void CapturedRemoval::remove(const CapturedName& name) {
  const int place = ::dirfd(directory_.get());
  for (const char* of : {".eml", ".json"}) {
    const std::string file = to_string(name) + of;
    if (::unlinkat(place, file.c_str(), 0) == 0 || errno == ENOENT) continue;
    if (fault_.empty()) fault_ = fault_text(file, errno);
    return;
  }
  ++removed_;
}

}  // namespace relayd::watch
