#include "shared/mail/a_label.hpp"

#include <gtest/gtest.h>

namespace relayd::mail {
namespace {

TEST(ALabels, AsciiIsFoldedAlone) {
  EXPECT_EQ(a_labels("Mail.Example.COM"), "mail.example.com");
  EXPECT_EQ(a_labels(""), "");
  EXPECT_EQ(a_labels("a..b."), "a..b.");
}

// What Python's idna codec and registries have for them.
TEST(ALabels, OtherLabelsAreEncoded) {
  EXPECT_EQ(a_labels("bücher.example"), "xn--bcher-kva.example");
  EXPECT_EQ(a_labels("www.münchen-ost.DE"), "www.xn--mnchen-ost-9db.de");
  EXPECT_EQ(a_labels("例え.テスト"), "xn--r8jz45g.xn--zckzah");
  EXPECT_EQ(a_labels("пример.испытание"), "xn--e1afmkfd.xn--80akhbyknj4f");
  EXPECT_EQ(a_labels("他们为什么不说中文.example"), "xn--ihqwcrb4cv8a8dqg056pqjye.example");
}

// UTS 46 4, without its transitional mappings.
TEST(ALabels, WhatIsOneDomainToDnsIsOneHere) {
  const std::string same[] = {"BÜCHER.Example",
                              "bu\u0308cher.example",                      // not composed
                              "\uff22\uff35\u0308\uff43\uff48er.example",  // fullwidth
                              "bü\u00adcher.exam\u200bple",                // ignored
                              "bü\ufe0fcher\u3002example",                 // a variation, an ideographic dot
                              "bücher.example\u3002",                      // at the end as well
                              "bücher.example\uff0e",
                              "bücher.example.\u00ad",
                              "b\U0001d532\u0308cher\uff61\uff45\uff58ample"};  // mathematical
  for (const std::string& domain : same) EXPECT_EQ(a_labels(domain), "xn--bcher-kva.example") << domain;
  EXPECT_EQ(a_labels("*.BÜCHER.example"), "*.xn--bcher-kva.example");
  EXPECT_EQ(a_labels("exam\u00adple.com"), "example.com");
  EXPECT_EQ(a_labels("example.com\uff61"), "example.com");
  EXPECT_EQ(dns_name("example.com\u3002\u00ad"), "example.com");
  EXPECT_EQ(a_labels("_dmarc.Bücher.example."), "_dmarc.xn--bcher-kva.example.");
  EXPECT_EQ(a_labels("XN--BCHER-KVA.BÜCHER.example"), "xn--bcher-kva.xn--bcher-kva.example");
  EXPECT_EQ(a_labels("XN--BCHER-KVA.example"), "xn--bcher-kva.example");
  EXPECT_EQ(a_labels("faß.example"), "xn--fa-hia.example");
  EXPECT_EQ(a_labels("FASS.example"), "fass.example");
  EXPECT_EQ(a_labels("ς.example"), "xn--3xa.example");
  EXPECT_EQ(a_labels("Σ.example"), "xn--4xa.example");
  EXPECT_EQ(a_labels("\u212a.example"), "k.example");  // the sign of kelvin
}

TEST(ALabels, SomeTextsAreNoDomain) {
  const std::string none[] = {"\xff.example",
                              "a\u200db.example",
                              "i\u2764.example",
                              "-ü.example",
                              "ab--ü.example",
                              "\u0300a.example",
                              "אa.example",
                              "xn--zzzzzz99999.ü",
                              "x\uff20ü.example",
                              "\u2100.example",
                              "\uff0a.ü.example",
                              "\u00ad.example",
                              "ü.\u00ad.example",
                              "\uff0da.example",
                              std::string("ü\0.example", 11),
                              std::string(300, '\xc3')};
  for (const std::string& domain : none) EXPECT_EQ(dns_name(domain), std::nullopt) << domain;
  EXPECT_EQ(dns_name("Bücher.example"), "xn--bcher-kva.example");
  EXPECT_EQ(dns_name("Example"), "example");
}

TEST(ALabels, WhatIsNoLabelOfDnsStays) {
  EXPECT_EQ(a_labels("\xff.example"), "\xff.example");
  std::string label;
  for (int i = 0; i < 40; ++i) label += "\xc3\xa9";
  EXPECT_EQ(a_labels(label).substr(0, 4), "xn--") << "40 times the same is short";
  std::string many;
  for (int i = 0; i < 60; ++i) many += {static_cast<char>(0xe4 + i % 5), '\x80', static_cast<char>(0x80 + i)};
  EXPECT_EQ(a_labels(many), many);
}

}  // namespace
}  // namespace relayd::mail
