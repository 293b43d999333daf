#include "support/fake_upstream.hpp"

#include "shared/base/ascii.hpp"

namespace relayd::test {

using async::IoError;
using async::IoFault;
using async::Task;

namespace {

// The account of "AUTH PLAIN AGFubgBzZWNyZXQ=": base64 of NUL, name, NUL, password.
std::string account_of(std::string_view base64) {
  static constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned buffer = 0;
  int bits = 0;
  for (const char c : base64) {
    const std::size_t digit = digits.find(c);
    if (digit == std::string_view::npos) break;
    buffer = buffer << 6 | static_cast<unsigned>(digit);
    bits += 6;
    if (bits >= 8) bytes += static_cast<char>(buffer >> (bits -= 8) & 0xff);
  }
  return bytes.substr(1, bytes.find('\0', 1) - 1);
}

std::string path_of(std::string_view line) {
  const std::size_t from = line.find('<') + 1;
  return std::string(line.substr(from, line.find('>') - from));
}

}  // namespace

class FakeUpstream::Session final : public async::Stream {
 public:
  explicit Session(FakeUpstream& server) : server_(server), alarm_(server.loop_) {
    ++server_.connections;
    reply("", "220 fake");
  }
  ~Session() override { close(); }

  Task<std::size_t> read_some(std::span<char> buffer, Deadline deadline) override {
    if (said_.empty() && !ended_ && !closed_) {
      alarm_.at(deadline, [this] { wake(IoFault::timed_out); });
      waiting_ = true;
      co_await woken_;
      waiting_ = false;
      alarm_.cancel();
      if (fault_) throw IoError(*std::exchange(fault_, std::nullopt), "no more reading");
    }
    if (closed_) throw IoError(IoFault::cancelled, "the connection was closed by us");
    const std::size_t count = said_.copy(buffer.data(), buffer.size());
    said_.erase(0, count);
    co_return count;
  }
  Task<void> write(std::string_view bytes, Deadline) override {
    if (closed_) throw IoError(IoFault::cancelled, "the connection was closed by us");
    heard_ += bytes;
    for (std::size_t end = heard_.find("\r\n"); end != std::string::npos; end = heard_.find("\r\n")) {
      const std::string line = heard_.substr(0, end);
      heard_.erase(0, end + 2);
      if (!ended_) hear(line);
    }
    co_return;
  }
  Task<void> start_tls(Deadline) override { co_return; }
  const async::TlsFacts& tls() const override { return facts_; }
  const std::string& peer() const override { return address_; }
  void interrupt() override { wake(IoFault::cancelled); }
  void close() override {
    if (std::exchange(closed_, true)) return;
    --server_.connections;
    wake(IoFault::cancelled);
  }

 private:
  void wake(IoFault fault) {
    if (!waiting_) return;
    fault_ = fault;
    woken_.set();
  }

  void reply(std::string_view command, std::string usual) {
    std::string own = server_.answer ? server_.answer(command, mail_.account) : std::string();
    last_ = own.empty() ? std::move(usual) : std::move(own);
    if (last_ == silence) return;
    said_ += last_ + "\r\n";
    ended_ |= last_.starts_with("421");
  }
  bool accepted() const { return last_[0] == '2' || last_[0] == '3'; }

  void hear(const std::string& line) {
    if (content_) return hear_content(line);
    if (line.starts_with("EHLO")) {
      reply(line, "250-fake\r\n250-PIPELINING\r\n250 AUTH PLAIN");
    } else if (line.starts_with("AUTH PLAIN ")) {
      const std::string account = account_of(line.substr(11));
      mail_.account = account;
      reply("AUTH", "235 Welcome");
      if (!accepted()) mail_.account.clear();
    } else if (line.starts_with("MAIL")) {
      mail_.recipients.clear();
      mail_.content.clear();
      mail_.sender = path_of(line);
      reply(line, "250 Ok");
      in_mail_ = accepted();
    } else if (line.starts_with("RCPT")) {
      reply(line, in_mail_ ? "250 Ok" : "503 No sender");
      if (accepted()) mail_.recipients.push_back(path_of(line));
    } else if (line == "DATA") {
      reply(line, mail_.recipients.empty() ? "503 No recipients" : "354 Go");
      content_ = accepted();
    } else if (line == "QUIT") {
      reply(line, "221 Bye");
      ended_ = true;
    } else {
      in_mail_ = false;
      mail_.recipients.clear();
      reply(line, "250 Ok");
    }
  }

  void hear_content(const std::string& line) {
    if (line != ".") {
      mail_.content += line + "\r\n";
      return;
    }
    content_ = in_mail_ = false;
    reply(".", "250 Ok");
    if (accepted()) {
      mail_.when = server_.loop_.now();
      mail_.connections = server_.connections;
      server_.taken.push_back(mail_);
    }
    mail_.recipients.clear();
  }

  FakeUpstream& server_;
  async::Timer alarm_;
  async::Event woken_;
  std::optional<IoFault> fault_;
  bool waiting_ = false;
  bool closed_ = false;
  bool ended_ = false;  // by the server
  bool content_ = false;
  bool in_mail_ = false;
  std::string heard_;
  std::string said_;
  std::string last_;
  Taken mail_;
  async::TlsFacts facts_{"TLSv1.3", "TLS_AES_128_GCM_SHA256", true, "", false};
  std::string address_ = "127.0.0.1";
};

Task<std::unique_ptr<async::Stream>> FakeUpstream::dial(const std::string&, std::uint16_t port,
                                                        const async::TlsPolicy&, Deadline, std::stop_token) {
  ++dials;
  co_await async::sleep_until(loop_, loop_.now());
  if (down || closed.contains(port)) throw IoError(IoFault::refused, "connection refused");
  std::unique_ptr<async::Stream> session = std::make_unique<Session>(*this);
  co_return session;
}

}  // namespace relayd::test
