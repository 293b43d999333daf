// Notices: what the relay itself has to say to its operator, as mail.
#include "relay/reporter.hpp"

namespace relayd {

using async::Task;

Task<std::string> Reporter::notify(const std::string& from, const std::vector<std::string>& to,
                                   const std::string& subject, const std::vector<std::string>& paragraphs) {
  queue::Draft draft = queue_.draft();
  const std::string id = queue::to_string(draft.id());
  tell::Report report = tell::compose_notice({.hostname = setup_.config->hostname,
                                              .from = from,
                                              .to = to,
                                              .id = id,
                                              .now = loop_.wall_now(),
                                              .subject = subject,
                                              .paragraphs = paragraphs});
  const std::optional<smtp::Reply> refusal = readdress(report);
  if (report.envelope.recipients.empty())
    co_return refusal ? smtp::one_line(*refusal) : "nobody is to be told";
  std::string failure;
  try {
    co_await commit(std::move(draft), std::move(report));
  } catch (const queue::QueueError& error) {
    failure = error.what();
  }
  co_return failure;
}

}  // namespace relayd
