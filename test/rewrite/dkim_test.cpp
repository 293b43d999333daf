#include "rewrite/dkim.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

namespace relayd::rewrite {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr WallTime now{std::chrono::microseconds(1'795'157'646'999'999)};

std::shared_ptr<const crypto::SigningKey> key(std::string_view text) {
  return *crypto::SigningKey::parse(text);
}
const std::shared_ptr<const crypto::SigningKey> ed25519 = key("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=");
const std::shared_ptr<const crypto::SigningKey> rsa =
    key(crypto::SigningKey::generate(crypto::SigningKey::Type::rsa).reveal());

std::vector<std::string> selectors(std::span<const DkimSigner> signers) {
  std::vector<std::string> names;
  for (const DkimSigner& signer : signers) names.push_back(signer.selector);
  return names;
}

const DkimKeys keys({{"example.org", "o", ed25519, {}},
                     {"Example.com", "s2", rsa, {}},
                     {"example.com", "s1", ed25519, {}},
                     {"news.example.com", "n", ed25519, {}},
                     {"xn--bcher-kva.example", "b", ed25519, {}}});

TEST(DkimKeys, AllKeysOfADomainSignInTheListsOrder) {
  EXPECT_THAT(selectors(keys.of_domain("example.com")), ElementsAre("s2", "s1"));
  EXPECT_THAT(selectors(keys.of_domain("EXAMPLE.org")), ElementsAre("o"));
}

TEST(DkimKeys, TheNearestParentSignsForADomainWithoutAKey) {
  EXPECT_THAT(selectors(keys.of_domain("a.b.example.com")), ElementsAre("s2", "s1"));
  EXPECT_THAT(selectors(keys.of_domain("x.News.example.com")), ElementsAre("n"));
  EXPECT_THAT(selectors(keys.of_domain("notexample.com")), IsEmpty());
  EXPECT_THAT(selectors(keys.of_domain("com")), IsEmpty());
  EXPECT_THAT(selectors(keys.of_domain("example.com.")), IsEmpty());
  EXPECT_THAT(selectors(keys.of_domain("")), IsEmpty());
}

TEST(DkimKeys, ADomainMayBeOfULabels) {
  EXPECT_THAT(selectors(keys.of_domain("post.bücher.example")), ElementsAre("b"));
  EXPECT_THAT(selectors(keys.of_domain("\xff.example.com")), IsEmpty());
}

TEST(DkimKeys, TheFirstAuthorDecides) {
  const auto of = [](std::string_view header) { return selectors(keys.of_header(header)); };
  EXPECT_THAT(of("To: a@example.com\r\nFrom: b@example.org\r\n"), ElementsAre("o"));
  EXPECT_THAT(of("from : \r\n Ann <ann@Example.Org>\r\n\r\n"), ElementsAre("o"));
  EXPECT_THAT(of("From: \"@example.com\" (x) <ann@example.org>, b@example.com\r\n"), ElementsAre("o"));
  EXPECT_THAT(of("From: ann@other.example, b@example.com\r\n"), IsEmpty());
  EXPECT_THAT(of("From: =?utf-8?q?b=40example.com?= <ann@example.org>\r\n"), ElementsAre("o"));
}

TEST(DkimKeys, WithoutAReadableAuthorNobodySigns) {
  const auto of = [](std::string_view header) { return selectors(keys.of_header(header)); };
  EXPECT_THAT(of(""), IsEmpty());
  EXPECT_THAT(of("To: a@example.com\r\n\r\nFrom: a@example.com\r\n"), IsEmpty());
  EXPECT_THAT(of("From:\r\n"), IsEmpty());
  EXPECT_THAT(of("From: ann\r\n"), IsEmpty());
  EXPECT_THAT(of("From: ann@example.com\r\nTo: x\r\nFrom: ann@example.com\r\n"), IsEmpty());
  EXPECT_THAT(of("From: a b@example.com\r\n"), IsEmpty());
  EXPECT_THAT(of("From: <ann@example.com> b@example.org\r\n"), ElementsAre("s2", "s1"));
  EXPECT_THAT(of("From: undisclosed:;\r\n"), IsEmpty());
}

const std::string header =
    "From: ann@example.com\r\nTo: b@example.net\r\nSubject: hello\r\nDate: Fri, 20 Nov 2026 06:54:06 "
    "+0000\r\n"
    "Message-ID: <1@example.com>\r\n\r\n";
const crypto::Digest body_hash = crypto::Sha256().finish();

// dkimpy says that it verifies, with the public key of RFC 8463 A.1.
TEST(DkimFields, WholeField) {
  const std::vector<DkimSigner> one = {{"example.com", "s1", ed25519, std::chrono::hours(24 * 7)}};
  EXPECT_EQ(dkim_fields(one, header, body_hash, now),
            "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=s1;\r\n"
            "\tt=1795157646; x=1795762446; h=From:From:Sender:Reply-To:Subject:Subject:Date:\r\n"
            "\tDate:Message-ID:Message-ID:To:To:Cc:MIME-Version:Content-Type;\r\n"
            "\tbh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=ku6v4j/dR/gS9OJgVqN4WeKHbm\r\n"
            "\t7YBogUx/ZB1E8c1hjmPbCPNENbTSsAHMJKiejw97fvb3NN+7G0hdgGjjMDDA==\r\n");
}

TEST(DkimFields, OneForEachKey) {
  const std::string fields = dkim_fields(keys.of_domain("example.com"), header, body_hash, now);
  const std::size_t second = fields.find("DKIM-Signature:", 1);
  EXPECT_THAT(fields.substr(0, second), HasSubstr("a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=s2;"));
  EXPECT_THAT(fields.substr(second), HasSubstr("a=ed25519-sha256;"));
  EXPECT_THAT(fields, Not(HasSubstr("x=")));
  // Each stands without the other.
  const std::vector<DkimSigner> alone = {{"example.com", "s1", ed25519, {}}};
  EXPECT_EQ(fields.substr(second), dkim_fields(alone, header, body_hash, now));
  EXPECT_EQ(fields.substr(second), dkim_fields(alone, fields + header, body_hash, now));
}

TEST(DkimFields, LinesAreShort) {
  std::string many = header.substr(0, header.size() - 2);
  for (int i = 0; i < 200; ++i)
    many += "List-" + std::string(static_cast<std::size_t>(i % 60 + 1), 'x') + ": y\r\n";
  const std::string domain = "a-label-of-quite-some-length.another-label-of-some-length.example.com";
  const std::vector<DkimSigner> signers = {{domain, "selector", rsa, std::chrono::hours(1)}};
  const std::string text = dkim_fields(signers, many, body_hash, now);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find("\r\n", at);
    ASSERT_NE(end, text.npos);
    EXPECT_LE(end - at, 78u) << text.substr(at, end - at);
    EXPECT_TRUE(at == 0 || text[at] == '\t');
    at = end + 2;
  }
}

TEST(DkimFields, NoSignerNoField) {
  EXPECT_EQ(dkim_fields({}, header, body_hash, now), "");
}

}  // namespace
}  // namespace relayd::rewrite
