#include "shared/net/txt_lookup.hpp"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "shared/base/ascii.hpp"

namespace relayd::net {

namespace {

using dns::Answer;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr int most_aliases =
    8;  // CNAMEs that lead to each other, where the server does not follow them itself

struct Channel {
  ares_channel handle = nullptr;
  Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel() {
    if (handle) ares_destroy(handle);
  }
};

// One name on its way; where it is a CNAME alone, the name that it stands for.
struct Question {
  ares_channel channel = nullptr;
  std::string name;  // of the answer
  std::string asked;
  int aliases = 0;
  bool answered = false;
  Answer answer;
};

std::string reason(int status) {
  switch (status) {
    case ARES_ETIMEOUT:
    case ARES_ECANCELLED:
      return "no DNS server answers";
    case ARES_ECONNREFUSED:  // the library has no other word where it has tried all
      return "no DNS server tells; they are away, or answer SERVFAIL or REFUSED";
    case ARES_ESERVFAIL:
      return "the DNS server cannot tell (SERVFAIL): those of the domain may be away, or its DNSSEC broken";
    case ARES_EREFUSED:
      return "the DNS server refuses to tell (REFUSED)";
    default:
      return ares_strerror(status);
  }
}

// What an answer says of the name that was asked for.
struct Told {
  std::string name;  // the end of the CNAMEs
  std::vector<std::string> texts;
};

struct ResourceRecord {
  std::string owner;
  int type = 0;
  const unsigned char* data = nullptr;
  const unsigned char* end = nullptr;
};

// Reads a message of DNS from its front to its end; nothing: it is no such thing (RFC 1035 4.1).
class AnswerReader {
 public:
  AnswerReader(const unsigned char* data, int size) : data_(data), size_(size), place_(data + NS_HFIXEDSZ) {}

  bool is_answer() const { return size_ >= NS_HFIXEDSZ && (data_[2] & 0x80) != 0; }

  std::optional<std::vector<ResourceRecord>> records() {
    std::string question;
    for (unsigned left = number(data_ + 4); left > 0; --left)
      if (!read_name(place_, question) || !skip(NS_QFIXEDSZ)) return std::nullopt;
    std::vector<ResourceRecord> records;
    for (unsigned left = number(data_ + 6); left > 0; --left) {
      ResourceRecord record;
      if (!read_name(place_, record.owner)) return std::nullopt;
      const unsigned char* const fixed = place_;
      if (!skip(NS_RRFIXEDSZ)) return std::nullopt;
      record.type = static_cast<int>(number(fixed));
      record.data = place_;
      if (!skip(number(fixed + 8))) return std::nullopt;
      record.end = place_;
      records.push_back(std::move(record));
    }
    return records;
  }

  bool read_name(const unsigned char*& place, std::string& name) const {
    char* text = nullptr;
    long length = 0;
    if (ares_expand_name(place, data_, size_, &text, &length) != ARES_SUCCESS) return false;
    name = ascii::lower(text);
    ares_free_string(text);
    place += length;
    return true;
  }

 private:
  static unsigned number(const unsigned char* place) { return unsigned{place[0]} << 8 | place[1]; }

  bool skip(std::ptrdiff_t octets) {
    if (data_ + size_ - place_ < octets) return false;
    place_ += octets;
    return true;
  }

  const unsigned char* data_;
  int size_;
  const unsigned char* place_;
};

// The strings of a TXT record, joined; nothing: they do not fit it.
std::optional<std::string> text_of(const ResourceRecord& record) {
  std::string text;
  for (const unsigned char* place = record.data; place < record.end;) {
    const std::ptrdiff_t length = *place++;
    if (record.end - place < length) return std::nullopt;
    text.append(reinterpret_cast<const char*>(place), static_cast<std::size_t>(length));
    place += length;
  }
  return text;
}

// Nothing of a record counts that belongs to another name. An error: it is no answer to this.
Result<Told> read_answer(const unsigned char* data, int size, const std::string& asked) {
  AnswerReader reader(data, size);
  if (!reader.is_answer()) return Error{"what the DNS server sends is no answer"};
  const auto records = reader.records();
  if (!records) return Error{"the DNS server's answer is broken"};
  Told told{asked, {}};
  for (std::size_t steps = 0; steps <= records->size(); ++steps) {
    const auto alias = std::ranges::find_if(*records, [&told](const ResourceRecord& record) {
      return record.type == ns_t_cname && record.owner == told.name;
    });
    if (alias == records->end()) break;
    const unsigned char* target = alias->data;
    if (!reader.read_name(target, told.name)) return Error{"the DNS server's answer is broken"};
  }
  bool foreign = false;
  for (const ResourceRecord& record : *records) {
    if (record.type != ns_t_txt) continue;
    foreign = foreign || record.owner != told.name;
    if (record.owner != told.name) continue;
    std::optional<std::string> text = text_of(record);
    if (!text) return Error{"the DNS server's answer is broken"};
    told.texts.push_back(std::move(*text));
  }
  if (foreign && told.texts.empty()) return Error{"the DNS server answers for another name"};
  return told;
}

void ask(Question& question);

void fail(Question& question, std::string_view why) {
  question.answer = {Answer::Kind::failed, {}, fmt::format("cannot look up {}: {}", question.asked, why)};
}

void settle(Question& question, int status, const unsigned char* data, int size) {
  question.answered = true;
  if (status != ARES_SUCCESS && status != ARES_ENODATA && status != ARES_ENOTFOUND)
    return fail(question, reason(status));
  if (!data) return;
  Result<Told> told = read_answer(data, size, question.asked);
  if (!told) return fail(question, told.error());
  if (!told->texts.empty()) {
    question.answer = {Answer::Kind::texts, std::move(told->texts)};
  } else if (told->name != question.asked) {
    if (++question.aliases > most_aliases) {
      question.answer = {
          Answer::Kind::failed, {}, fmt::format("{} leads from CNAME to CNAME", question.name)};
      return;
    }
    question.answered = false;
    question.asked = told->name;
    ask(question);
  }
}

void on_answer(void* argument, int status, int, unsigned char* data, int size) {
  settle(*static_cast<Question*>(argument), status, data, size);
}

void ask(Question& question) {
  ares_query(question.channel, question.asked.c_str(), ns_c_in, ns_t_txt, on_answer, &question);
}

int open(Channel& channel, const std::optional<DnsServer>& server) {
  ares_options options{};
  options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_EDNS;
  if (server) options.flags |= ARES_FLAG_NOCHECKRESP;  // there is no other that could tell more
  options.timeout = 1500;
  options.tries = 2;
  options.ednspsz = 1232;
  const int chosen = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ;
  const int status = ares_init_options(&channel.handle, &options, chosen);
  if (status != ARES_SUCCESS || !server) return status;
  const bool is_v6 = server->address.find(':') != std::string::npos;
  const std::string text =
      fmt::format(fmt::runtime(is_v6 ? "[{}]:{}" : "{}:{}"), server->address, server->port);
  return ares_set_servers_ports_csv(channel.handle, text.c_str());
}

// Waits for the library's sockets until all is answered or the time is up.
void wait(ares_channel channel, Clock::time_point end) {
  for (;;) {
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
    const int mask = ares_getsock(channel, sockets.data(), static_cast<int>(sockets.size()));
    std::vector<pollfd> polled;
    for (unsigned i = 0; i < sockets.size(); ++i) {
      short events = ARES_GETSOCK_READABLE(mask, i) ? POLLIN : short{};
      if (ARES_GETSOCK_WRITABLE(mask, i)) events = static_cast<short>(events | POLLOUT);
      if (events != 0) polled.push_back({sockets[i], events, 0});
    }
    const auto left = std::chrono::duration_cast<milliseconds>(end - Clock::now());
    if (polled.empty() || left.count() <= 0) return;
    timeval most{left.count() / 1000, left.count() % 1000 * 1000}, next{};
    const timeval* const pause = ares_timeout(channel, &most, &next);
    ::poll(polled.data(), polled.size(), static_cast<int>(pause->tv_sec * 1000 + pause->tv_usec / 1000 + 1));
    for (const pollfd& socket : polled)
      ares_process_fd(channel, (socket.revents & ~POLLOUT) ? socket.fd : ARES_SOCKET_BAD,
                      (socket.revents & POLLOUT) ? socket.fd : ARES_SOCKET_BAD);
  }
}

}  // namespace

Result<dns::Answers> look_up_texts(std::span<const std::string> names, const std::optional<DnsServer>& server,
                                   milliseconds limit) {
  std::vector<Question> questions(names.size());
  Channel channel;  // goes before the questions, whom it tells that it does
  if (const int status = open(channel, server); status != ARES_SUCCESS)
    return Error{fmt::format("cannot ask DNS: {}", ares_strerror(status))};
  const Clock::time_point end = Clock::now() + limit;
  for (std::size_t i = 0; i < names.size(); ++i) {
    questions[i].channel = channel.handle;
    questions[i].name = questions[i].asked = names[i];
    ask(questions[i]);
  }
  wait(channel.handle, end);
  ares_cancel(channel.handle);
  dns::Answers answers;
  for (Question& question : questions) answers.insert_or_assign(question.name, std::move(question.answer));
  return answers;
}

}  // namespace relayd::net
