// The list of providers: a declaration and an entry for each file.
#include <algorithm>
#include <utility>

#include "providers/provider.hpp"

namespace relayd::providers {

Providers aliyun();
Providers azure_acs();
Providers brevo();
Providers cloudflare();
Providers cyberimpact();
Providers elasticemail();
Providers fastmail();
Providers gmail();
Providers icloud();
Providers mailersend();
Providers mailgun();
Providers mailjet();
Providers mailtrap();
Providers mandrill();
Providers netease();
Providers oci();
Providers office365();
Providers ovh();
Providers postmark();
Providers proton();
Providers resend();
Providers scaleway();
Providers sendcloud();
Providers sendgrid();
Providers ses();
Providers smtp2go();
Providers socketlabs();
Providers sparkpost();
Providers tencent();
Providers yahoo();
Providers yandex();
Providers zoho();

namespace {

constexpr Providers (*files[])() = {
    aliyun,    azure_acs,  brevo,      cloudflare, cyberimpact, elasticemail, fastmail,  gmail,
    icloud,    mailersend, mailgun,    mailjet,    mailtrap,    mandrill,     netease,   oci,
    office365, ovh,        postmark,   proton,     resend,      scaleway,     sendcloud, sendgrid,
    ses,       smtp2go,    socketlabs, sparkpost,  tencent,     yahoo,        yandex,    zoho,
};

}  // namespace

const Providers& all() {
  static const Providers list = [] {
    Providers joined;
    for (const auto file : files)
      for (Provider& provider : file()) joined.push_back(std::move(provider));
    return joined;
  }();
  return list;
}

const Provider* find(std::string_view name) {
  const auto found = std::ranges::find(all(), name, &Provider::name);
  return found == all().end() ? nullptr : &*found;
}

}  // namespace relayd::providers
