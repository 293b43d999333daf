#include "rewrite/dkim_body.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "shared/base/base64.hpp"
#include "shared/crypto/signing_key.hpp"

namespace relayd::rewrite {
namespace {

using namespace std::string_literals;

std::string finish(BodyHash& hash) {
  const crypto::Digest digest = hash.finish();
  return base64::encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::string whole(std::string_view body) {
  BodyHash hash;
  hash.update(body);
  return finish(hash);
}

struct Vector {
  std::string body;
  std::string hash;
};

const std::string empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const std::string a = "jkYhN5eG70Kk/sFVzVJcKR3X2zwf3jR4Ui9PYcA/0b0=";
const std::string line_a = "rtvXwfsWayOyDkkGziU2PZl7Kvy9Vio9qMCoQxoGcYc=";

// Each was computed with python3-dkim and opendkim, too.
const std::vector<Vector> vectors = {
    {"", empty},
    {"\r\n", empty},
    {"\r\n\r\n\r\n", empty},
    {" \t\r\n", empty},
    {" \t", empty},
    {"a", a},
    {"a\r\n", a},
    {"a\r\n\r\n", a},
    {"a \r\n", a},
    {"a\r\n \r\n\r\n", a},
    {"a \t", a},
    {" C \r\nD \t E\r\n\r\n\r\n", "unak6JHq0wL+Q1HP7dW1tjBx9FLA6DffoZ0qrLwbbpo="},  // RFC 6376 3.4.5
    {"a\t b  \r\n \r\n", "SuEZjyiTjUp1XHpGpmLw9XKayjy3FMrk431guExO6cw="},
    {"\r\na\r\n", line_a},
    {" \r\na\r\n", line_a},
    {" a\r\n", "+XtPzaPbbZ5SxJybKNm0w8KWahR3VLbbOmDeeofaSbk="},
    {".\r\n", "wKMX9gkQ7tCLv8ezrG5t4bICm/SSLQsNfTdZMToksWw="},
    {"..\r\n", "JytmDMGLzTKJoMiKdr+0XyoSq3ahVx8BGNWgdKXll1E="},
    {"\xc3\xa9 \r\n", "ZNpmmxK77aDKjyhAiRvYg05bggbyTHcD4grB1HJhKw4="},
    {"a\x0b"
     "b\r\n",
     "e1SjYz88eoTWg1kjf3oap0BoDsX0IpbMutzJyJvDy48="},  // VT is no WSP
    {"\r\nHi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"s.substr(2),
     "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="},  // RFC 8463 A.3
};

TEST(BodyHash, KnownBodies) {
  for (const Vector& vector : vectors) EXPECT_EQ(whole(vector.body), vector.hash) << vector.body;
}

TEST(BodyHash, TheCutDoesNotMatter) {
  for (const Vector& vector : vectors) {
    for (std::size_t first = 0; first <= vector.body.size(); ++first) {
      for (std::size_t second = first; second <= vector.body.size(); ++second) {
        BodyHash hash;
        hash.update(std::string_view(vector.body).substr(0, first));
        hash.update(std::string_view(vector.body).substr(first, second - first));
        hash.update(std::string_view(vector.body).substr(second));
        ASSERT_EQ(finish(hash), vector.hash) << vector.body << " cut at " << first << " and " << second;
      }
    }
  }
}

std::string octet_by_octet(std::string_view body) {
  BodyHash hash;
  for (const char& c : body) hash.update({&c, 1});
  return finish(hash);
}

TEST(BodyHash, ALongLine) {
  const std::string body = std::string(65'535, 'x') + " \t\r\ny\r\n";
  const std::string expected = "2Tuh2mWQuBsO8xmAElxkKu+02J9C3gcPU9Q1cR7LqeM=";
  EXPECT_EQ(whole(body), expected);
  EXPECT_EQ(octet_by_octet(body), expected);
  for (std::size_t cut = body.size() - 12; cut <= body.size(); ++cut) {
    BodyHash hash;
    hash.update(std::string_view(body).substr(0, cut));
    hash.update(std::string_view(body).substr(cut));
    EXPECT_EQ(finish(hash), expected) << cut;
  }
}

TEST(BodyHash, ManyEmptyLines) {
  std::string lines;
  for (int i = 0; i < 70'000; ++i) lines += "\r\n";
  const std::string body = lines + "z\r\n" + lines;
  const std::string expected = "G8N9I5KJTsK5W+OBMZLuwl5AVDv4xj5gP6vUd3kNPHU=";
  EXPECT_EQ(whole(body), expected);
  EXPECT_EQ(octet_by_octet(body), expected);
}

// The canonical text of RFC 6376 3.4.4 made in a slower way, a line at a time.
std::string plainly(std::string_view body) {
  std::string text, line;
  const auto end_line = [&] {
    std::string canonical;
    for (const char c : line) {
      const bool space = c == ' ' || c == '\t';
      if (!space || !canonical.ends_with(' ')) canonical += space ? ' ' : c;
    }
    if (canonical.ends_with(' ')) canonical.pop_back();
    text += canonical + "\r\n";
    line.clear();
  };
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (body.substr(i, 2) == "\r\n") {
      end_line();
      ++i;
    } else {
      line += body[i];
    }
  }
  if (!line.empty()) end_line();
  while (text.ends_with("\r\n\r\n")) text.resize(text.size() - 2);
  if (text == "\r\n") text.clear();
  crypto::Sha256 hash;
  hash.update(text);
  const crypto::Digest digest = hash.finish();
  return base64::encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

TEST(BodyHash, IsThatOfThePlainWay) {
  std::uint32_t random = 1;
  for (int i = 0; i < 20'000; ++i) {
    std::string body;
    for (std::uint32_t left = i % 60u; left > 0; --left) {
      random = random * 1'664'525 + 1'013'904'223;
      constexpr std::string_view pieces[] = {" ",  "\t", "\r\n", "\r\n",        "\r",
                                             "\n", "a",  "\xff", "longer text", "\x01"};
      body += pieces[(random >> 16) % std::size(pieces)];
    }
    ASSERT_EQ(whole(body), plainly(body)) << testing::PrintToString(body);
  }
}

}  // namespace
}  // namespace relayd::rewrite
