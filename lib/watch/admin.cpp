#include "watch/admin.hpp"

#include <algorithm>

#include "watch/answer.hpp"

namespace relayd::watch {

using async::Task;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t longest_request = 4 << 20;
constexpr Duration patience = 30s;

}  // namespace

Admin::Admin(net::AsioLoop& loop, Desk& desk, const std::string& path)
    : loop_(loop),
      desk_(desk),
      acceptor_(net::Acceptor::unix_socket(
          loop, path, 0600, nullptr,
          [this](std::unique_ptr<async::Stream> stream) { scope_.spawn(serve(std::move(stream))); })) {}

Task<void> Admin::serve(std::unique_ptr<async::Stream> stream) {
  try {
    co_await answer(*stream);
  } catch (const async::IoError&) {
    // The operator has seen enough.
  }
  stream->close();
}

Task<void> Admin::answer(async::Stream& stream) {
  std::string line;
  std::string buffer(64 * 1024, '\0');
  while (line.find('\n') == std::string::npos && line.size() < longest_request) {
    const std::size_t count = co_await stream.read_some(buffer, loop_.now() + patience);
    if (count == 0) break;
    line.append(buffer, 0, count);
  }
  const std::size_t end = line.find('\n');
  const Result<Request> request = parse_request(line.substr(0, end));
  if (!request) {
    const std::string refusal = line_of({{"error", request.error()}});
    co_await stream.write(refusal, loop_.now() + patience);
    co_return;
  }
  std::string text = line.substr(std::min(end, line.size() - 1) + 1);
  while (text.size() < request->octets) {
    const std::size_t count = co_await stream.read_some(buffer, loop_.now() + patience);
    if (count == 0) co_return;  // whoever asked has gone
    text.append(buffer, 0, count);
  }
  const Answer answer = [this, &stream](std::string_view lines) {
    return stream.write(lines, loop_.now() + patience);
  };
  co_await desk_.answer(*request, text, answer);
}

}  // namespace relayd::watch
