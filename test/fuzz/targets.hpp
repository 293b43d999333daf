// Fuzz targets: one function per parser that reads what strangers send.
//
// Each takes any octets and ends the process when a promise of the parser does not hold. libfuzzer.cpp drives
// one of them under clang; replay_test.cpp runs all of them over the seeds with every ordinary build.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace relayd::fuzz {

void address(std::string_view input);
void admin_request(std::string_view input);
void aliases(std::string_view input);
void batch(std::string_view input);
void capabilities(std::string_view input);
void command(std::string_view input);
void config(std::string_view input);
void data(std::string_view input);
void dkim(std::string_view input);
void dns_message(std::string_view input);
void dns_records(std::string_view input);
void fake(std::string_view input);
void header(std::string_view input);
void header_rules(std::string_view input);
void history(std::string_view input);
void http_request(std::string_view input);
void http_response(std::string_view input);
void line_buffer(std::string_view input);
void mime(std::string_view input);
void missing_domains(std::string_view input);
void proxy(std::string_view input);
void quotas(std::string_view input);
void quoting(std::string_view input);
void record(std::string_view input);
void reply(std::string_view input);
void report(std::string_view input);
void retry_after(std::string_view input);
void rewriting(std::string_view input);
void sasl(std::string_view input);
void sendmail(std::string_view input);
void session(std::string_view input);
void sites(std::string_view input);
void suppressions(std::string_view input);
void tables(std::string_view input);
void token_reply(std::string_view input);
void transport(std::string_view input);
void url(std::string_view input);
void values(std::string_view input);
void verdict(std::string_view input);
void webhook(std::string_view input);
void xtext(std::string_view input);

struct Target {
  std::string_view name;  // of its folder of seeds, too
  void (*run)(std::string_view);
};
inline constexpr Target targets[] = {
    {"address", address},
    {"admin_request", admin_request},
    {"aliases", aliases},
    {"batch", batch},
    {"capabilities", capabilities},
    {"command", command},
    {"config", config},
    {"data", data},
    {"dkim", dkim},
    {"dns_message", dns_message},
    {"dns_records", dns_records},
    {"fake", fake},
    {"header", header},
    {"header_rules", header_rules},
    {"history", history},
    {"http_request", http_request},
    {"http_response", http_response},
    {"line_buffer", line_buffer},
    {"mime", mime},
    {"missing_domains", missing_domains},
    {"proxy", proxy},
    {"quotas", quotas},
    {"quoting", quoting},
    {"record", record},
    {"reply", reply},
    {"report", report},
    {"retry_after", retry_after},
    {"rewriting", rewriting},
    {"sasl", sasl},
    {"sendmail", sendmail},
    {"session", session},
    {"sites", sites},
    {"suppressions", suppressions},
    {"tables", tables},
    {"token_reply", token_reply},
    {"transport", transport},
    {"url", url},
    {"values", values},
    {"verdict", verdict},
    {"webhook", webhook},
    {"xtext", xtext},
};

inline void demand(bool held, const char* promise) {
  if (held) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

// Where to cut the input, chosen by its first octet.
inline std::size_t cut_of(std::string_view input) {
  return input.empty() ? 0 : static_cast<unsigned char>(input.front()) % (input.size() + 1);
}

}  // namespace relayd::fuzz
