#include "shared/net/txt_lookup.hpp"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <memory>
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

struct FreeTexts {
  void operator()(ares_txt_ext* texts) const { ares_free_data(texts); }
};

std::vector<std::string> texts_of(const ares_txt_ext* chunk) {
  std::vector<std::string> texts;
  for (; chunk; chunk = chunk->next) {
    if (chunk->record_start || texts.empty()) texts.emplace_back();
    texts.back().append(reinterpret_cast<const char*>(chunk->txt), chunk->length);
  }
  return texts;
}

// The end of the CNAMEs in an answer without the record; empty: there are none.
std::string alias_in(const unsigned char* data, int size, const std::string& asked) {
  hostent* host = nullptr;
  if (ares_parse_a_reply(data, size, &host, nullptr, nullptr) != ARES_SUCCESS || !host) return {};
  const std::unique_ptr<hostent, decltype(&ares_free_hostent)> held(host, &ares_free_hostent);
  std::string name = ascii::lower(host->h_name ? host->h_name : "");
  return name == asked ? std::string() : name;
}

void ask(Question& question);

void settle(Question& question, int status, const unsigned char* data, int size) {
  ares_txt_ext* parsed = nullptr;
  if (status == ARES_SUCCESS) status = ares_parse_txt_reply_ext(data, size, &parsed);
  const std::unique_ptr<ares_txt_ext, FreeTexts> held(parsed);
  question.answered = true;
  if (status == ARES_SUCCESS && parsed) {
    question.answer = {Answer::Kind::texts, texts_of(parsed)};
  } else if (status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND) {
    const std::string alias = data ? alias_in(data, size, question.asked) : std::string();
    if (alias.empty()) return;
    if (++question.aliases > most_aliases) {
      question.answer = {
          Answer::Kind::failed, {}, fmt::format("{} leads from CNAME to CNAME", question.name)};
      return;
    }
    question.answered = false;
    question.asked = alias;
    ask(question);
  } else {
    question.answer = {
        Answer::Kind::failed, {}, fmt::format("cannot look up {}: {}", question.asked, reason(status))};
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
