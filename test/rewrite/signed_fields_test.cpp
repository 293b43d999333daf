#include "rewrite/signed_fields.hpp"

#include <gtest/gtest.h>

#include <string>

namespace relayd::rewrite {
namespace {

std::string header(std::string_view signature, std::string_view fields) {
  return "DKIM-Signature: " + std::string(signature) + "\r\n" + std::string(fields) + "\r\n";
}

TEST(SignedFields, AChangeOfOneIsFound) {
  const std::string_view signature = "v=1; h=From : Subject:\r\n\tX-a; b=h=to";
  const std::string before = header(signature, "From: a\r\nSubject: s\r\nTo: t\r\nX-A: 1\r\n");
  EXPECT_EQ(changed_signed_field(before, before), "");
  EXPECT_EQ(changed_signed_field(before, header(signature, "From: a\r\nSubject: s\r\nX-A: 1\r\nX-B: 2\r\n")),
            "");
  EXPECT_EQ(changed_signed_field(before, header(signature, "From: a\r\nSubject: [t] s\r\nX-A: 1\r\n")),
            "subject");
  EXPECT_EQ(changed_signed_field(before, header(signature, "From: a\r\nSubject: s\r\n")), "x-a");
}

TEST(SignedFields, AnAbsentOneMayBeSigned) {
  const std::string before = header("v=1;h=from:subject", "From: a\r\n");
  EXPECT_EQ(changed_signed_field(before, header("v=1;h=from:subject", "From: a\r\nSubject: s\r\n")),
            "subject");
}

TEST(SignedFields, EverySignatureCounts) {
  const std::string before = "DKIM-Signature: h=to\r\nDKIM-Signature: h=cc\r\n";
  EXPECT_EQ(changed_signed_field(before, before + "Cc: c\r\n"), "cc");
}

TEST(SignedFields, WithoutASignatureNothingBreaks) {
  for (const std::string_view before : {"", "To: b\r\n", "DKIM-Signature:\r\n", "DKIM-Signature: h\r\n",
                                        "DKIM-Signature: h=\r\n", "DKIM-Signature: ;;=;h=:\r\n"})
    EXPECT_EQ(changed_signed_field(before, std::string(before) + "Subject: s\r\n"), "") << before;
}

}  // namespace
}  // namespace relayd::rewrite
