// Dialogue: what a provider's SMTP server says to a client, line by line, as its file in lib/providers tells
// it: its extensions, its form of usernames, its limits, and one thing that goes wrong there.
//
// Beside the path; one a connection, driven by Server. Sans-I/O: lines in, text out. It takes what a client
// must not rely on: one password and one access token for every account, and any recipient.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fake/behaviours.hpp"
#include "shared/sasl/sasl.hpp"
#include "shared/smtp/command.hpp"

namespace relayd::fake {

// Something that was refused or taken.
struct Note {
  std::string_view account;  // who logged in; empty: nobody
  std::string_view sender;
  const std::vector<std::string>& recipients;
  std::string_view reply;    // the last line; empty: the connection was closed
  std::string_view content;  // of a message that was taken, else empty
};

// What all connections of a fake share.
struct Part {
  const route::Provider& provider;
  std::string host;                    // that it says it is
  std::string password;                // of every account
  std::string token;                   // likewise; empty: none is right
  std::optional<Behaviour> behaviour;  // what goes wrong; nothing: all is well
  std::optional<std::uint32_t> times;  // so often, then all is well; nothing: always
  std::function<void(const Note&)> on_note;
  std::uint64_t taken = 0;  // messages

  std::uint64_t size_limit() const;  // octets; that of the provider, or 64 MiB
};

class Dialogue {
 public:
  // What comes next from the client.
  enum class Next { line, handshake, content, nothing };
  struct Answer {
    std::string text;  // with CR LF; may be empty
    Next next = Next::line;
  };

  // `part` outlives it. `can_encrypt`: STARTTLS is offered until encrypted() is called.
  Dialogue(Part& part, bool can_encrypt) : part_(part), can_encrypt_(can_encrypt) {}

  Answer greet();
  // A line without its CR LF.
  Answer read(std::string_view line);
  Answer read_too_long();
  // The handshake is over; all that was said is forgotten (RFC 3207 4.2).
  void encrypted();
  // The message is whole, without dot-stuffing; `octets` is its size, where too much of it was dropped.
  Answer take(std::string_view content, std::uint64_t octets);

 private:
  Answer say(std::string_view reply, Next next = Next::line);
  // A refusal, which is noted.
  Answer refuse(std::string_view reply);
  Answer refuse_as(std::string_view behaviour);
  // What goes wrong at that stage, if it does; it has done so once more.
  std::optional<std::string_view> wrong_reply(smtp::Stage stage);
  std::optional<Answer> misbehave(smtp::Stage stage);
  bool needs_login() const;
  std::string mechanisms() const;

  Answer hello(bool extended);
  Answer start_tls();
  Answer authenticate(const smtp::Auth& command);
  Answer answer_login(const sasl::Server::Step& step);
  Answer answer_token(std::string_view line);
  Answer mail(const smtp::Mail& command);
  Answer rcpt(const smtp::Rcpt& command);
  Answer data();
  Answer reset(std::string_view reply);
  void forget_transaction();

  Part& part_;
  bool can_encrypt_;
  bool greeted_ = false;
  std::optional<sasl::Server> login_;  // under way, with a password
  struct TokenLogin {
    sasl::Mechanism mechanism;
    std::optional<std::string_view> refusal = {};  // said when the client has answered the 334 before it
  };
  std::optional<TokenLogin> token_login_;  // under way
  std::string account_;
  std::optional<std::string> sender_;
  bool smtp_utf8_ = false;
  std::vector<std::string> recipients_;
  std::uint32_t messages_ = 0;        // of the connection
  std::uint32_t all_recipients_ = 0;  // of the connection
};

}  // namespace relayd::fake
