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
