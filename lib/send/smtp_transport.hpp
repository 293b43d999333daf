// SmtpTransport: an SMTP or LMTP client's session (RFC 5321, 2033, 2920, 3207, 4954) as a coroutine over a
// Stream.
//
// Fifth stage of the path. One connection to one upstream with one credential. It never weakens what was
// asked: no TLS means no mail, and a password is sent over verified TLS or to loopback alone.
//
// Towards a server that pipelines, a message costs one round trip: the commands of the next one leave in the
// same write as the final dot of the current one (RFC 2920 3.1), and the replies to both come back together.
// The current message is reported when all of them were read, so that a reply too many or too few is seen
// before anything is taken for delivered.
//
// An LMTP server replies to the final dot once for each recipient that it took (RFC 2033 4.2). Each reply is
// that recipient's outcome at once, whatever becomes of the others. Nothing rides behind the dot there: the
// replies could not be told apart from those to the next message, and the server is near.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "send/contacts.hpp"
#include "send/conversation.hpp"
#include "send/hosts.hpp"
#include "send/login.hpp"
#include "send/transport.hpp"
#include "shared/async/dialer.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/workers.hpp"
#include "shared/proxy/tunnel.hpp"
#include "shared/smtp/capabilities.hpp"
#include "shared/smtp/pipelining.hpp"
#include "shared/smtp/tls_mode.hpp"

namespace relayd::send {

using smtp::Pipelining;
using smtp::TlsMode;

// Where and how, all that the dialogue needs. Plain values.
struct Target {
  std::string host;
  std::uint16_t port = 0;
  TlsMode tls_mode = TlsMode::starttls;
  async::TlsPolicy tls;
  std::string hostname;                     // what we say in EHLO
  std::vector<sasl::Mechanism> mechanisms;  // in order of preference
  bool clear_password_allowed = false;      // the host is loopback
  std::uint64_t size_limit = 0;             // octets, beside what EHLO says; 0: none
  bool login = false;                       // authenticate, with what `credential` gives
  std::optional<proxy::Proxy> proxy;        // by way of which the host is reached
  bool lmtp = false;                        // speaks LMTP, with LHLO and a reply for each recipient
  Pipelining pipelining = Pipelining::ahead;
  BlamesPassword blames_password = {};
  // Of a domain that is `host`, whose servers DNS names; `tls` has a name then only where the operator wrote
  // it.
  bool mx = false;                // its MX hosts (RFC 5321 5.1)
  std::vector<TlsMode> srv = {};  // those of its SRV records for these ways of submission, in this order
};

// What the last connection met on the way to its login, for who wants more than whether it worked.
struct Met {
  std::string address;                     // of the server; empty: none was reached
  async::TlsFacts tls;                     // also of a handshake that failed
  std::vector<smtp::Capabilities> offers;  // one for each EHLO: before TLS, with it
};

class SmtpTransport final : public Transport {
 public:
  // Told which of the credential's passwords the server took; not where it logs in by tokens.
  using OnLogin = std::function<void(const Password& password)>;
  // Told what the server offers, once TLS is as it will be.
  using OnOffer = std::function<void(const smtp::Capabilities& offered)>;

  // `contacts`: where connections are counted; outlives this. Null: nowhere.
  SmtpTransport(async::Loop& loop, async::Workers& workers, async::Dialer& dialer, Target target,
                FetchCredential fetch, OnLogin on_login = {}, OnOffer on_offer = {},
                Contacts* contacts = nullptr);

  async::Task<std::optional<Event>> open() override;
  async::Task<Report> send(Delivery& delivery, Follow& follow) override;
  bool usable() const override { return usable_; }
  async::Task<bool> idle(Deadline deadline) override;
  void wake() override;
  async::Task<void> close() override;
  void abort() override;
  Report describe() const override;

  const Met& met() const { return met_; }
  // MAIL and RSET: whether the server would take mail of this sender, as far as it tells before there is a
  // message. For a transport that is open and was sent nothing; nothing: it would.
  async::Task<std::optional<Event>> try_sender(const std::string& sender);

 private:
  // What the server said to the commands of a transaction, up to DATA.
  struct Answers {
    const Delivery* delivery = nullptr;
    std::size_t mail_at = 0;               // before it an RSET
    std::size_t commands = 0;              // how many there are
    std::size_t count = 0;                 // how many were answered
    std::optional<Event> refused;          // the whole message
    std::vector<RecipientEvent> refusals;  // of one recipient each
    std::size_t accepted = 0;              // recipients
    bool ready = false;                    // for content
    bool closing = false;                  // 421: the rest will not come
    bool disliked = false;                 // they came too early for the server
    bool out_of_step = false;              // these cannot be the answers to those commands

    bool complete() const { return closing || count == commands; }
  };

  // Each step of opening: nothing when it went well. They throw IoError.
  async::Task<std::optional<Event>> greet();
  async::Task<std::optional<Event>> say_ehlo();
  async::Task<std::optional<Event>> start_tls();
  async::Task<std::optional<Event>> log_in(Login& login);
  // All of them, over a new connection; throws nothing.
  async::Task<std::optional<Event>> connect(Login& login);
  void count(const std::optional<Event>& event);
  bool has_lost_login(const Report& report) const;

  // The parts of a transaction. They throw IoError.
  bool is_assured() const;
  std::optional<Event> cannot_take(const Delivery& delivery) const;
  std::vector<std::string> envelope_commands(const Delivery& delivery);
  void take_answer(Answers& answers, smtp::Reply reply) const;
  async::Task<void> read_answers(std::size_t until, Duration most);
  async::Task<void> ask(const Delivery& delivery);
  async::Task<void> send_nothing();
  async::Task<void> transact(Delivery& delivery, Report& report, Follow& follow);
  async::Task<void> send_content(Delivery& delivery, Report& report, Follow& follow);
  async::Task<void> read_final_replies(Report& report, const Delivery& delivery);
  async::Task<bool> deliver(std::string_view wire, Report& report, const Delivery& delivery);
  bool announce(const Delivery& delivery, std::string& wire);
  async::Task<void> conclude(const Delivery& delivery, Report& report);

  async::Workers& workers_;
  std::unique_ptr<proxy::TunnelDialer> tunnel_;  // null: the host is dialled itself
  async::Dialer& dialer_;
  Target target_;
  Hosts hosts_;
  FetchCredential fetch_;
  OnLogin on_login_;
  OnOffer on_offer_;
  Contacts nobodys_;  // where nobody wants to know
  Contacts& contacts_;
  Conversation conversation_;
  std::stop_source stop_dial_;  // a dial that is under way
  smtp::Capabilities capabilities_;
  Met met_;
  Answers answers_;
  bool usable_ = false;
  bool needs_reset_ = false;  // a transaction was begun and not finished
  bool carried_mail_ = false;
  bool goes_on_ = false;  // to another address of the host, or to another host
  bool aborted_ = false;
  bool woken_ = false;
  bool by_token_ = false;                  // the login
  std::optional<SteadyTime> token_until_;  // its token's end; nothing: not known
};

}  // namespace relayd::send
