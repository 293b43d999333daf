#include "drop/batch.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include "accept/session_fixture.hpp"
#include "fuzz/targets.hpp"
#include "relay/batch_stream.hpp"

namespace relayd::fuzz {

namespace {

drop::File file_of(std::string_view text) {
  drop::File file{disk::Descriptor(::memfd_create("batch", MFD_CLOEXEC)), text.size(), 1000};
  const ssize_t written = ::pwrite(file.descriptor.number(), text.data(), text.size(), 0);
  demand(written == static_cast<ssize_t>(text.size()), "a file in memory takes what it is given");
  return file;
}

// How many recipients the head names; 0 when it is none.
std::size_t recipients_of(std::string_view text) {
  drop::HeadReader head;
  std::size_t recipients = 0;
  for (std::size_t end = text.find("\r\n"); end != std::string_view::npos; end = text.find("\r\n")) {
    const std::string_view line = text.substr(0, end);
    if (!head.read(line)) return 0;
    if (head.done()) return recipients;
    recipients += line.starts_with("RCPT");
    text.remove_prefix(end + 2);
  }
  return 0;
}

}  // namespace

void batch(std::string_view input) {
  test::SessionRun run({});
  run.listener.address = "drop";
  BatchStream::Outcome outcome;
  accept::Session session(
      {run.loop, run.workers, run.log, run.intake, run.penalties, run.gate}, run.config, run.listener,
      std::make_unique<BatchStream>(run.workers, file_of(input), "relay.example.com", outcome));
  test::drive(run.loop, session.run());
  demand(run.intake.taken.size() == (outcome.taken ? 1 : 0), "a file is one message or none");
  if (!outcome.taken) return;
  demand(outcome.fault.empty() && outcome.refusal.code == 0, "what was taken was not refused");
  const std::size_t taken = run.intake.taken[0].envelope.recipients.size();
  demand(taken >= 1 && taken <= recipients_of(input), "a message is taken for recipients of its file alone");
}

}  // namespace relayd::fuzz
