// relayd sendmail: takes a message as sendmail(1) does and hands it to the daemon, or leaves it in the drop
// folder.
#include "sendmail.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>

#include "commands.hpp"
#include "sendmail_arguments.hpp"
#include "sendmail_message.hpp"
#include "sendmail_place.hpp"
#include "sendmail_turns.hpp"
#include "shared/base/ascii.hpp"
#include "shared/mail/mailboxes.hpp"
#include "shared/smtp/xtext.hpp"
#include "shown.hpp"
#include "submission.hpp"

namespace relayd::command {

namespace {

constexpr std::size_t header_limit = 1 << 20;

constexpr const char* usage =
    "usage: sendmail [-t] [-i] [-f SENDER] [-F NAME] [-N WHEN] [-R WHAT] [-V ID] [-v] [-C FILE] [--] "
    "[RECIPIENT…] <MESSAGE\n"
    "       sendmail -bs | -bp | -bv [-f SENDER] | -bi | -q\n";

// What ends the command, with its exit status.
struct Failure {
  int status;
  std::string text;
};

// The name in an account's comment field, where '&' is the login name.
std::string full_name_of(const passwd& account) {
  const std::string_view comment = account.pw_gecos;
  std::string name;
  for (const char c : comment.substr(0, comment.find(','))) {
    if (c != '&') {
      name += c;
      continue;
    }
    name += account.pw_name;
    name[name.size() - std::string_view(account.pw_name).size()] = ascii::upper(*account.pw_name);
  }
  return name;
}

struct Caller {
  std::string address;  // the login name: the daemon knows its domain
  std::string full_name;
};

Caller find_caller() {
  const passwd* const account = ::getpwuid(::getuid());
  if (!account) return {fmt::format("uid{}", ::getuid()), ""};
  return {account->pw_name, full_name_of(*account)};
}

std::vector<std::string> read_words(const std::vector<std::string>& words) {
  std::vector<std::string> addresses;
  for (const std::string& word : words) {
    Result<std::vector<std::string>> found = mail::mailbox_list(word);
    if (!found) throw Failure{EX_DATAERR, found.error()};
    addresses.insert(addresses.end(), found->begin(), found->end());
  }
  return addresses;
}

std::string read_sender(const SendmailArguments& arguments, const Caller& caller) {
  if (!arguments.sender) return caller.address;
  if (arguments.sender->empty() || *arguments.sender == "<>") return {};
  const std::vector<std::string> found = read_words({*arguments.sender});
  if (found.size() != 1)
    throw Failure{EX_USAGE, fmt::format("-f {}: one address is needed", *arguments.sender)};
  return found.front();
}

// Standard input to its end: the header in `head`, what follows it in the spool.
mail::HeaderFacts read_message(bool dot_ends, std::string& head, SendmailSpool& spool) {
  SendmailInput input(dot_ends);
  mail::HeaderScanner scanner;
  std::string lines;
  const auto part = [&] {  // what the scanner takes for no header is body
    spool.append(std::string_view(head).substr(scanner.facts().octets));
    head.resize(scanner.facts().octets);
  };
  const auto keep = [&] {
    if (scanner.done()) return spool.append(lines);
    scanner.feed(lines);
    head += lines;
    if (scanner.done())
      part();
    else if (head.size() > header_limit)
      throw Failure{EX_DATAERR, fmt::format("the header is longer than {} octets", header_limit)};
  };
  std::string buffer(64 * 1024, '\0');
  while (!input.ended()) {
    const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw std::system_error(errno, std::generic_category(), "cannot read the message");
    lines.clear();
    if (count == 0)
      input.finish(lines);
    else
      input.feed(std::string_view(buffer).substr(0, static_cast<std::size_t>(count)), lines);
    keep();
  }
  if (!scanner.done()) {
    scanner.end();
    part();
  }
  return scanner.facts();
}

void add_recipients(mail::Envelope& envelope, const std::vector<std::string>& addresses,
                    const std::string& notify) {
  for (const std::string& address : addresses) {
    const bool known = std::ranges::find(envelope.recipients, address, &mail::Recipient::address) !=
                       envelope.recipients.end();
    if (!known) envelope.recipients.push_back({address, notify, ""});
    envelope.smtp_utf8 = envelope.smtp_utf8 || !ascii::all_ascii(address);
  }
}

Submission read_submission(const SendmailArguments& arguments) {
  const bool from_header = arguments.recipients_from_header;
  if (!from_header && arguments.recipients.empty())
    throw Failure{EX_USAGE, "no recipient: name one, or take them from the header with -t"};
  const Caller caller = find_caller();
  Submission submission;
  mail::Envelope& envelope = submission.envelope;
  envelope.sender = read_sender(arguments, caller);
  envelope.smtp_utf8 = !ascii::all_ascii(envelope.sender);
  envelope.ret = arguments.ret;
  envelope.envelope_id = smtp::encode_xtext(arguments.envelope_id);
  add_recipients(envelope, read_words(arguments.recipients), arguments.notify);

  std::string head;
  const mail::HeaderFacts facts = read_message(arguments.dot_ends, head, submission.body);
  const std::string from = mailbox_with_name(
      arguments.full_name.empty() && !arguments.sender ? caller.full_name : arguments.full_name,
      envelope.sender.empty() ? caller.address : envelope.sender);
  Result<SendmailHeader> header = complete_header(head, facts, from, from_header);
  if (!header) throw Failure{EX_DATAERR, header.error()};
  add_recipients(envelope, header->recipients, arguments.notify);
  if (envelope.recipients.empty()) throw Failure{EX_DATAERR, "no recipient in the header's To, Cc and Bcc"};
  submission.header = std::move(header->fields);
  return submission;
}

// --- handing over ---

SubmissionOutcome hand_over(const SendmailPlace& place, const Submission& submission) {
  std::optional<LocalConnection> connection = connect_to(place);
  if (connection) return submit(std::move(*connection), place.hostname, submission);
  return {SubmissionOutcome::Kind::not_taken, EX_TEMPFAIL, "no daemon answers on " + to_string(place),
          submission.envelope.recipients};
}

int send(const SendmailArguments& arguments, const SendmailPlace& place) {
  const Submission submission = read_submission(arguments);
  const SubmissionOutcome outcome = hand_over(place, submission);
  if (outcome.kind != SubmissionOutcome::Kind::refused)
    for (const std::string& one : outcome.refused)
      fmt::print(stderr, "sendmail: {}{}\n", shown(one),
                 outcome.kind == SubmissionOutcome::Kind::queued ? "; the message goes to the others" : "");
  const auto say = [&](const std::string& text) {
    if (arguments.verbose) fmt::print(stderr, "sendmail: {}\n", shown(text));
    return EX_OK;
  };
  if (outcome.kind == SubmissionOutcome::Kind::queued) return say("the daemon has queued it");
  if (outcome.kind != SubmissionOutcome::Kind::not_taken) throw Failure{outcome.status, outcome.text};
  try {
    leave_in_drop(place.drop, submission, outcome.left);
    return say(fmt::format("{}; the message is in the drop folder {}", outcome.text, place.drop));
  } catch (const std::system_error& error) {
    throw Failure{outcome.status,
                  fmt::format("{}, and there is no drop folder that can be used ({}); try again later",
                              outcome.text, error.what())};
  }
}

// --- SMTP on standard input and output ---

bool write_out(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

constexpr const char* hung_up = "the daemon hung up before all was said and answered";

int status_of(int refusal) {
  return refusal < 500 ? EX_TEMPFAIL : EX_DATAERR;
}

// The daemon has hung up.
int status_at_end(const SendmailTurns& turns) {
  if (!turns.done()) throw Failure{EX_TEMPFAIL, hung_up};
  if (turns.refused() != 0) throw Failure{status_of(turns.refused()), "a message was refused"};
  return EX_OK;
}

int speak_smtp(const SendmailPlace& place) {
  std::optional<LocalConnection> connection = connect_to(place);
  if (!connection) {
    write_out("421 4.3.2 relayd does not answer, try again later\r\n");
    throw Failure{EX_TEMPFAIL, "no daemon answers on " + to_string(place)};
  }
  SendmailTurns turns;
  bool ended = false;
  std::string buffer(64 * 1024, '\0');
  for (;;) {
    if (const std::string said = turns.take(); !said.empty()) {
      if (!connection->send(said)) throw Failure{EX_TEMPFAIL, hung_up};
      continue;
    }
    if (turns.stuck())
      throw Failure{status_of(turns.refused()), "DATA was refused, and what stands behind it was not sent"};
    if (ended && turns.in_content())
      throw Failure{EX_DATAERR, "standard input ended before the message did, and it was not taken"};
    if (ended && !turns.waiting()) ::shutdown(connection->descriptor(), SHUT_WR);
    pollfd ends[] = {{ended || turns.full() ? -1 : STDIN_FILENO, POLLIN, 0},
                     {connection->descriptor(), POLLIN, 0}};
    if (::poll(ends, std::size(ends), -1) < 0 && errno != EINTR) return EX_OSERR;
    if (ends[1].revents != 0) {
      const std::size_t count = connection->receive(buffer);
      if (count == 0) return status_at_end(turns);
      const std::string_view heard = std::string_view(buffer).substr(0, count);
      if (!write_out(heard)) return EX_IOERR;
      turns.hear(heard);
    }
    if (ends[0].revents == 0) continue;
    const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count > 0) turns.feed(std::string_view(buffer).substr(0, static_cast<std::size_t>(count)));
    ended = count <= 0;
    if (ended) turns.finish();
  }
}

int run(const SendmailArguments& arguments) {
  using Mode = SendmailArguments::Mode;
  Options options;
  options.config = arguments.config;
  options.mail_program = true;
  if (arguments.mode == Mode::initialise) return newaliases(options);
  if (arguments.mode == Mode::list_queue) return mailq(options);
  if (arguments.mode == Mode::run_queue) {
    options.queue.command = "retry";
    options.queue.all = true;
    return queue(options);
  }
  if (arguments.mode == Mode::explain) {
    options.sender = read_sender(arguments, find_caller());
    return explain(options);
  }
  const std::optional<SendmailPlace> place = find_place(options);
  if (!place) return EX_CONFIG;
  if (arguments.mode == Mode::smtp) return speak_smtp(*place);
  return send(arguments, *place);
}

int sendmail(std::span<const std::string_view> words) {
  std::signal(SIGPIPE, SIG_IGN);
  const Result<SendmailArguments> arguments = parse_sendmail_arguments(words);
  if (!arguments) {
    fmt::print(stderr, "sendmail: {}\n{}", shown(arguments.error()), usage);
    return EX_USAGE;
  }
  try {
    return run(*arguments);
  } catch (const Failure& failure) {
    fmt::print(stderr, "sendmail: {}\n", shown(failure.text));
    return failure.status;
  } catch (const std::system_error& error) {
    fmt::print(stderr, "sendmail: {}; try again later\n", shown(error.what()));
    return EX_TEMPFAIL;
  }
}

}  // namespace

bool is_mail_program(std::string_view name) {
  return name == "sendmail" || name == "mailq" || name == "newaliases";
}

int mail_program(std::string_view name, std::span<const std::string_view> words) {
  std::vector<std::string_view> all;
  if (name == "mailq") all.emplace_back("-bp");
  if (name == "newaliases") all.emplace_back("-bi");
  all.insert(all.end(), words.begin(), words.end());
  return sendmail(all);
}

}  // namespace relayd::command
