#include "shared/http/url.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::http {
namespace {

using testing::HasSubstr;

TEST(Url, HasItsParts) {
  const struct {
    const char* text;
    Url url;
  } cases[] = {
      {"https://hooks.example", {true, "hooks.example", 443, "/", "hooks.example"}},
      {"HTTPS://Hooks.Example:443/A?b=C%2f", {true, "hooks.example", 443, "/A?b=C%2f", "hooks.example"}},
      {"https://hooks.example:8443/", {true, "hooks.example", 8443, "/", "hooks.example:8443"}},
      {"http://localhost:80?x=/y@z:1", {false, "localhost", 80, "/?x=/y@z:1", "localhost"}},
      {"http://localhost:443/", {false, "localhost", 443, "/", "localhost:443"}},
      {"https://[2001:DB8::1]/a", {true, "2001:db8::1", 443, "/a", "[2001:db8::1]"}},
      {"https://[::ffff:192.0.2.1]:8443", {true, "::ffff:192.0.2.1", 8443, "/", "[::ffff:192.0.2.1]:8443"}},
      {"http://127.0.0.1:8080/a", {false, "127.0.0.1", 8080, "/a", "127.0.0.1:8080"}},
      {"https://1password.example", {true, "1password.example", 443, "/", "1password.example"}},
      {"https://a_b.xn--bcher-kva.example/~x/!$&'()*+,;=:@-._",
       {true, "a_b.xn--bcher-kva.example", 443, "/~x/!$&'()*+,;=:@-._", "a_b.xn--bcher-kva.example"}},
  };
  for (const auto& [text, url] : cases) {
    const Result<Url> parsed = parse_url(text);
    ASSERT_TRUE(parsed) << text << ": " << parsed.error();
    EXPECT_TRUE(parsed.value() == url) << text << ": " << parsed.value().host << ' ' << parsed.value().port
                                       << ' ' << parsed.value().target << ' ' << parsed.value().authority;
  }
}

TEST(Url, IsRefusedWithWhatToChange) {
  const struct {
    std::string text;
    const char* part;
  } cases[] = {
      {"", "begins with https://"},
      {"hooks.example/a", "begins with https://"},
      {"ftp://hooks.example", "begins with https://"},
      {"/x?u=https://hooks.example", "begins with https://"},
      {"https:/hooks.example", "begins with https://"},
      {"https://", "names no host"},
      {"https://:443/", "names no host"},
      {"https:///path", "names no host"},
      {"https://?query", "names no host"},
      {"https://user@hooks.example", "before the '@'"},
      {"https://user:secret@hooks.example", "before the '@'"},
      {"https://hooks.example:443@evil.example", "before the '@'"},
      {"https://hooks.example/#part", "fragment"},
      {"https://hooks.example#@evil.example", "fragment"},
      {"https://hooks.example/a b", "as %20"},
      {"https://hooks.example/a\tb", "as %20"},
      {"https://hooks.example/a\r\nX: y", "as %20"},
      {std::string("https://hooks.example/\0", 23), "as %20"},
      {"https://hooks.example/\x7f", "as %20"},
      {"https://b\xc3\xbc"
       "cher.example/",
       "xn--"},
      {"https://hooks.example/\xff", "ASCII"},
      {"https://hooks.example/%", "as %25"},
      {"https://hooks.example/%4", "as %25"},
      {"https://hooks.example/?a=%zz", "as %25"},
      {"https://hooks.example/a|b", "as %7C"},
      {"https://hooks.example/a\\b", "as %5C"},
      {"https://evil.example\\.hooks.example/", "a host is letters"},
      {"https://hooks%2eexample/", "a host is letters"},
      {"https://127.0.0.1%25eth0/", "a host is letters"},
      {"https://hooks.example:0/", "from 1 to 65535"},
      {"https://hooks.example:/", "from 1 to 65535"},
      {"https://hooks.example:65536/", "from 1 to 65535"},
      {"https://hooks.example:+443/", "from 1 to 65535"},
      {"https://hooks.example:443x/", "from 1 to 65535"},
      {"https://hooks.example:-1/", "from 1 to 65535"},
      {"https://hooks.example:25/", "as SMTP"},
      {"https://hooks.example:0025/", "as SMTP"},
      {"https://hooks.example:465/", "as SMTP"},
      {"https://hooks.example:587/", "as SMTP"},
      {"https://hooks.example:2525/", "as SMTP"},
      {"https://127.1/", "127.1 is a number"},
      {"https://0x7f.1/", "write the address in full"},
      {"https://127.0.0.0X1/", "write the address in full"},
      {"https://2130706433/", "write the address in full"},
      {"https://0177.0.0.1/", "write the address in full"},
      {"https://0x7f000001/", "write the address in full"},
      {"https://256.0.0.1/", "write the address in full"},
      {"https://1.2.3.4.5/", "write the address in full"},
      {"https://127.0.0.1./", "no '.' at an end"},
      {"https://hooks.example./", "no '.' at an end"},
      {"https://.example/", "no '.' at an end"},
      {"https://hooks..example/", "no '.' at an end"},
      {"https://[::1/", "has no ']'"},
      {"https://[127.0.0.1]/", "in brackets"},
      {"https://[fe80::1%25eth0]/", "in brackets"},
      {"https://[v1.x:y]/", "in brackets"},
      {"https://[]/", "in brackets"},
      {"https://[::1]8080/", "behind the ']'"},
      {"https://::1/", "names no host"},
      {"https://" + std::string(254, 'a') + "/", "253"},
      {"https://hooks.example/" + std::string(4096, 'a'), "4096"},
  };
  for (const auto& [text, part] : cases) {
    const Result<Url> parsed = parse_url(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error(), HasSubstr(part)) << text;
    EXPECT_THAT(parsed.error(), testing::Not(HasSubstr("secret"))) << text;
  }
}

TEST(Url, IsShownWithoutItsQuery) {
  EXPECT_EQ(shown(*parse_url("https://Hooks.example:443/a/b?token=secret")), "https://hooks.example/a/b");
  EXPECT_EQ(shown(*parse_url("http://[::1]:8080?token=secret")), "http://[::1]:8080/");
}

TEST(Url, NamesItsEndpointWithThePort) {
  EXPECT_EQ(endpoint(*parse_url("https://hooks.example/a")), "hooks.example:443");
  EXPECT_EQ(endpoint(*parse_url("http://[::1]/a")), "[::1]:80");
}

TEST(Url, IsSecureOverTlsAndOnLoopback) {
  for (const char* text : {"https://hooks.example", "http://localhost:1", "http://127.0.0.2", "http://[::1]",
                           "http://[::ffff:127.0.0.1]"})
    EXPECT_TRUE(is_secure(*parse_url(text))) << text;
  for (const char* text :
       {"http://hooks.example", "http://10.0.0.1", "http://localhost.example", "http://[fc00::1]"})
    EXPECT_FALSE(is_secure(*parse_url(text))) << text;
}

}  // namespace
}  // namespace relayd::http
