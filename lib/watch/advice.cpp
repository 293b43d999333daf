#include "watch/advice.hpp"

#include <fmt/format.h>

namespace relayd::watch {

using smtp::ReplyClass;
using smtp::Stage;
using smtp::TlsMode;
using smtp::Trouble;

namespace {

std::string of_connect(const Ailment& ailment) {
  if (ailment.event.trouble == Trouble::tls) return {};  // of a file of ours, which the text names
  if (!ailment.proxy.empty())
    return fmt::format("See whether the proxy {} runs, and whether it may connect there; `proxy` names it",
                       ailment.proxy);
  if (!ailment.in_time)
    return fmt::format(
        "A firewall on the way swallows port {}: have it opened towards this host (many clouds block 25, 465 "
        "and 587), or set `port` to another one of the provider's, such as 2525",
        ailment.port);
  return fmt::format(
      "Correct `host` or `port`: usual are 587 with `tls: starttls` and 465 with `tls: implicit`; or the "
      "server is down, or a firewall refuses port {}",
      ailment.port);
}

// It connected, and does not talk as it should.
std::string of_talk(const Ailment& ailment) {
  if (ailment.event.stage == Stage::greeting && ailment.tls != TlsMode::implicit &&
      (!ailment.in_time || ailment.event.trouble))
    return fmt::format(
        "If port {} speaks TLS from the first octet, as 465 does, set `tls: implicit`; else this is no "
        "server "
        "of SMTP, or it has no time for us",
        ailment.port);
  if (ailment.event.trouble)
    return "This is no server of SMTP, or something on the way breaks the connection: correct `host` or "
           "`port`";
  return "The server refuses to talk to this host: its reply says why; ask its operator, or use `port` 587";
}

std::string of_tls(const Ailment& ailment) {
  if (ailment.event.trouble == Trouble::no_starttls)
    return "Set `tls: implicit` with the port for it (465), or use the port for submission (587); if the "
           "provider does offer STARTTLS, something on the way strips it. `tls: none` is for a server on "
           "your own "
           "machine alone";
  if (!ailment.event.trouble) return "The server cannot do TLS now: ask its operator, or use another port";
  const std::string& text = ailment.event.text;
  if (text.find(" expired on ") != std::string::npos)
    return "Its operator has to renew it; if it was renewed, this machine's clock is wrong";
  if (text.find("; its pin is ") != std::string::npos)
    return "If its operator has changed the key, write that pin into `tls_options.pin_sha256`; if not, "
           "somebody "
           "stands between";
  if (text.find(": ") != std::string::npos && text.find("failed: ") == std::string::npos) return {};
  return "The server or something on the way breaks TLS: try another port, and ask the server's operator";
}

// Microsoft's rows hold of passwords, too.
std::string of_switched_off(const Ailment& ailment) {
  const smtp::Reply& reply = ailment.event.reply;
  if (ailment.event.trouble) return {};
  if (reply.enhanced == smtp::EnhancedCode{5, 7, 139} &&
      reply.text.find("SmtpClientAuthentication is disabled") != std::string::npos)
    return reply.text.find("Mailbox") != std::string::npos
               ? fmt::format(
                     "Switch SMTP on for the mailbox: Set-CASMailbox {} "
                     "-SmtpClientAuthenticationDisabled $false",
                     ailment.account)
               : "Switch SMTP on for the tenant: Set-TransportConfig -SmtpClientAuthenticationDisabled "
                 "$false";
  if (reply.enhanced == smtp::EnhancedCode{5, 7, 30}) return "This tenant takes no passwords: use `oauth2`";
  return {};
}

// A refused token has been replaced once by then.
std::string of_token(const Ailment& ailment) {
  const smtp::Event& event = ailment.event;
  const config::OAuth2& oauth2 = *ailment.oauth2;
  if (event.trouble == Trouble::no_token || event.trouble == Trouble::no_password) return {};
  if (event.trouble == Trouble::no_mechanism)
    return "The server takes no access tokens: correct `host`; some servers offer them once the account may "
           "use SMTP";
  if (event.trouble) return "The server ends the connection at the login: see whether it lets this host in";
  if (oauth2.provider == config::OAuth2Provider::google)
    return fmt::format(
        "The account in `user`, {}, and the one that signed in must be the same, with scope "
        "https://mail.google.com/",
        ailment.account);
  if (ailment.token)
    if (const std::string misfit = oauth::misfit(*ailment.token, oauth2); !misfit.empty())
      return fmt::format("{} (the token says: {})", misfit, oauth::to_text(*ailment.token));
  if (oauth2.grant == config::OAuth2Grant::client_credentials)
    return fmt::format(
        "The token is right, so the mailbox is not: New-ServicePrincipal wants the object id of the "
        "Enterprise application, not of the app registration, and the app needs a right on {} by "
        "Add-MailboxPermission, or by the role 'Application SMTP.SendAsApp'; `user` must be a mailbox",
        ailment.account);
  const std::string who = ailment.token && !ailment.token->user.empty()
                              ? fmt::format("{} has signed in", ailment.token->user)
                              : "another one has signed in";
  return fmt::format(
      "The token is right, so `user` is not: it is {}, and {}; for a shared mailbox it is the "
      "delegate",
      ailment.account, who);
}

std::string of_auth(const Ailment& ailment) {
  if (std::string advice = of_switched_off(ailment); !advice.empty()) return advice;
  const bool refused = ailment.event.trouble || !ailment.event.reply.temporary();
  if (ailment.oauth2 && refused && ailment.event.trouble != Trouble::tls) return of_token(ailment);
  const std::string hint = ailment.hint.empty() ? "" : fmt::format(" (there: {})", ailment.hint);
  if (ailment.event.trouble == Trouble::no_password)
    return "Put the secret where the configuration says, readable for the user that relayd runs as";
  if (ailment.event.trouble == Trouble::tls)
    return "Set `tls` to starttls or implicit, and leave `tls_options.verify` as it is by default";
  if (ailment.event.trouble && ailment.event.trouble != Trouble::no_mechanism)
    return fmt::format(
        "The server ends the connection at the login: correct `username` and `password` of '{}'{}, and see "
        "whether it lets this host log in",
        ailment.account, hint);
  if (ailment.event.trouble == Trouble::no_mechanism)
    return "Allow a mechanism that the server offers (`auth`), or use the port for submission with TLS; some "
           "servers offer AUTH once the account may use SMTP";
  if (!ailment.event.trouble && ailment.event.reply.temporary())
    return "The server could not check it now: try again in some minutes";
  return fmt::format(
      "Correct `username` and `password` of '{}'{}, or let the account use SMTP in the provider's settings",
      ailment.account, hint);
}

std::string of_mail(const Ailment& ailment) {
  if (ailment.reply_class == ReplyClass::auth)
    return "Give the upstream `username` and `password`, or let the account send in the provider's settings";
  return fmt::format(
      "Let account '{}' send as {} in the provider's settings (verify the address or its domain there), or "
      "give that sender another upstream or account under `senders`",
      ailment.account, ailment.sender.empty() ? "the null sender" : ailment.sender);
}

}  // namespace

Step step_of(Stage stage) {
  switch (stage) {
    case Stage::connect:
      return Step::connect;
    case Stage::greeting:
    case Stage::ehlo:
      return Step::ehlo;
    case Stage::starttls:
      return Step::tls;
    case Stage::auth:
      return Step::auth;
    default:
      return Step::sender;
  }
}

std::string advice_for(const Ailment& ailment) {
  if (ailment.reply_class == ReplyClass::quota)
    return "The quota is used up: mail waits until it comes back; lower what you send, or raise the quota in "
           "the provider's settings";
  if (ailment.reply_class == ReplyClass::rate || ailment.reply_class == ReplyClass::conn)
    return "It is too much at a time: mail goes on slower by itself; `limits` keeps below what the provider "
           "allows";
  switch (step_of(ailment.event.stage)) {
    case Step::connect:
      return of_connect(ailment);
    case Step::ehlo:
      return of_talk(ailment);
    case Step::tls:
      return of_tls(ailment);
    case Step::auth:
      return of_auth(ailment);
    default:
      return of_mail(ailment);
  }
}

}  // namespace relayd::watch
