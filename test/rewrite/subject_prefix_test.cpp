#include "rewrite/subject_prefix.hpp"

#include <gtest/gtest.h>

#include <string>

namespace relayd::rewrite {
namespace {

constexpr std::string_view tag = "[t] ";
constexpr std::string_view umlaut = "[tü]";
constexpr std::string_view encoded_umlaut = "=?utf-8?b?W3TDvF0=?=";

std::string prefixed(std::string_view subject, std::string_view prefix = tag, bool utf8 = false) {
  return with_subject_prefix(subject, prefix, utf8).value_or("untouched");
}

TEST(SubjectPrefix, StandsBeforeTheTextWithOneBlank) {
  EXPECT_EQ(prefixed("Subject: Hello\r\n\r\n"), "Subject: [t] Hello\r\n\r\n");
  EXPECT_EQ(prefixed("subject:Hello\r\n\r\n"), "subject: [t] Hello\r\n\r\n");
  EXPECT_EQ(prefixed("SUBJECT \t:  \t Hello\r\n\r\n"), "SUBJECT \t: [t] Hello\r\n\r\n");
}

TEST(SubjectPrefix, IsNotPutTwice) {
  for (const std::string_view text :
       {"[t] Hello", "[t]", "[t]Hello", "Re: [t] Hello", "RE:[t] Hello", "Fwd: Re: re: [t] Hello",
        "Re[2]: [t] a", "AW: WG: [t] Hello", "Re:\r\n [t] Hello",
        "=?utf-8?q?[t]_Gr=C3=BC=C3=9Fe?=", "=?utf-8?Q?Re:_[t]_Gr=C3=BC=C3=9Fe?=",
        "Re: =?iso-8859-1?b?W3RdIEhlbGxv?=", "=?utf-8?q?[?=\r\n =?utf-8?q?t]?="})
    EXPECT_EQ(prefixed("Subject: " + std::string(text) + "\r\n\r\n"), "untouched") << text;
}

TEST(SubjectPrefix, IsPutWhereSomethingElseStands) {
  for (const std::string_view text : {"Hello [t]", "Re: Hello [t]", "X: [t] Hello", "Re [t]", "Re[x]: [t]",
                                      "[T] Hello", "=?utf-8?q?[t]", "=?utf-8?x?[t]?="})
    EXPECT_EQ(prefixed("Subject: " + std::string(text) + "\r\n\r\n"),
              "Subject: [t] " + std::string(text) + "\r\n\r\n");
  EXPECT_EQ(prefixed("Subject: TESTING\r\n", "TEST"), "Subject: TEST TESTING\r\n");
  EXPECT_EQ(prefixed("Subject: TEST: x\r\n", "TEST"), "untouched");
}

TEST(SubjectPrefix, AppliedAgainChangesNothing) {
  for (const std::string_view prefix : {"[t]", "[tü]", "тест", "Re:", "a  b", "=?utf-8?q?x?=", "gr\xff"})
    for (const std::string_view text : {"Hello", "=?utf-8?q?x?= y", "", "\r\n folded", "Re: x", "ü"})
      for (const bool utf8 : {false, true}) {
        const std::string given = "Subject: " + std::string(text) + "\r\n\r\n";
        const std::string once = with_subject_prefix(given, prefix, utf8).value_or(given);
        EXPECT_EQ(prefixed(once, prefix, utf8), "untouched") << once;
      }
}

TEST(SubjectPrefix, StandsAsPlainTextBeforeAnEncodedWord) {
  EXPECT_EQ(prefixed("Subject: =?utf-8?b?w7w=?=\r\n\r\n"), "Subject: [t] =?utf-8?b?w7w=?=\r\n\r\n");
}

TEST(SubjectPrefix, MakesASubjectWhereThereIsNone) {
  EXPECT_EQ(prefixed("To: b\r\n\r\nSubject: body\r\n"), "To: b\r\nSubject: [t]\r\n\r\nSubject: body\r\n");
}

TEST(SubjectPrefix, StandsInEachOfTwoSubjects) {
  EXPECT_EQ(prefixed("Subject: a\r\nTo: b\r\nSubject: [t] b\r\nSubject: c\r\n\r\n"),
            "Subject: [t] a\r\nTo: b\r\nSubject: [t] b\r\nSubject: [t] c\r\n\r\n");
}

TEST(SubjectPrefix, AFoldedOrEmptySubjectStaysWellFormed) {
  EXPECT_EQ(prefixed("Subject: a\r\n\tb\r\n\r\n"), "Subject: [t] a\r\n\tb\r\n\r\n");
  EXPECT_EQ(prefixed("Subject:\r\n a\r\n\r\n"), "Subject: [t]\r\n a\r\n\r\n");
  EXPECT_EQ(prefixed("Subject: \r\n\r\n"), "Subject: [t]\r\n\r\n");
  EXPECT_EQ(prefixed("Subject:\r\n"), "Subject: [t]\r\n");
  EXPECT_EQ(prefixed("Subject:"), "Subject: [t]");
}

TEST(SubjectPrefix, ALineThatWouldBeTooLongIsFoldedBehindIt) {
  const std::string text(78 - 13, 'x');
  EXPECT_EQ(prefixed("Subject: " + text + "\r\n\r\n"), "Subject: [t] " + text + "\r\n\r\n");
  EXPECT_EQ(prefixed("Subject: x" + text + "\r\n\r\n"), "Subject: [t]\r\n x" + text + "\r\n\r\n");
}

TEST(SubjectPrefix, IsEncodedWhereItIsNotAscii) {
  const std::string encoded(encoded_umlaut);
  EXPECT_EQ(prefixed("Subject: Hello\r\n\r\n", umlaut), "Subject: " + encoded + " Hello\r\n\r\n");
  EXPECT_EQ(prefixed("Subject: Hello\r\n\r\n", umlaut, true), "Subject: [tü] Hello\r\n\r\n");
  EXPECT_EQ(prefixed("To: b\r\n\r\n", umlaut), "To: b\r\nSubject: " + encoded + "\r\n\r\n");
}

TEST(SubjectPrefix, HasItsBlankInsideBeforeAnotherEncodedWord) {
  EXPECT_EQ(prefixed("Subject: =?utf-8?b?w7w=?=\r\n\r\n", umlaut),
            "Subject: =?utf-8?b?W3TDvF0g?= =?utf-8?b?w7w=?=\r\n\r\n");
  EXPECT_EQ(prefixed("Subject:\r\n =?utf-8?b?w7w=?=\r\n\r\n", umlaut),
            "Subject: =?utf-8?b?W3TDvF0g?=\r\n =?utf-8?b?w7w=?=\r\n\r\n");
}

TEST(SubjectPrefix, NoneIsNone) {
  for (const std::string_view prefix : {"", " ", "\t "})
    EXPECT_EQ(prefixed("To: b\r\n\r\n", prefix), "untouched");
}

}  // namespace
}  // namespace relayd::rewrite
