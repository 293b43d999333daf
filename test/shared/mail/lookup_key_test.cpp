#include "shared/mail/lookup_key.hpp"

#include <gtest/gtest.h>

namespace relayd::mail {
namespace {

struct Row {
  const char* address;
  const char* spelling;
  const char* key;
};

TEST(LookupKey, IsOneForAllSpellingsOfAnAddress) {
  const Row rows[] = {
      {"Ann@Example.COM", "Ann@example.com", "ann@example.com"},
      {"Ann", "Ann", "ann"},
      {"", "", ""},
      {"*", "*", "*"},
      {"@Example.com", "@example.com", "@example.com"},
      {"@*.B\xc3\xbc"
       "cher.example",
       "@*.xn--bcher-kva.example", "@*.xn--bcher-kva.example"},
      {"Ann@b\xc3\xbc"
       "cher.Example",
       "Ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"},
      {"J\xc3\xbcrg@x", "J\xc3\xbcrg@x", "j\xc3\xbcrg@x"},
      {"\"A.b\"@X", "A.b@x", "a.b@x"},
      {"\"A+b\"@x", "A+b@x", "a+b@x"},
      {"\"\\a\"@x", "a@x", "a@x"},
      {"\"Ann\"", "Ann", "ann"},
      {"ann@[IPv6:2001:DB8::1]", "ann@[ipv6:2001:db8::1]", "ann@[ipv6:2001:db8::1]"},
  };
  for (const auto& [address, spelling, key] : rows) {
    EXPECT_EQ(lookup_spelling(address), spelling);
    EXPECT_EQ(lookup_key(address), key);
  }
}

TEST(LookupKey, KeepsQuotesThatAreNeeded) {
  const Row rows[] = {
      {"\"A b\"@X", "\"A b\"@x", "\"a b\"@x"},
      {"\"A\\ b\"@X", "\"A b\"@x", "\"a b\"@x"},
      {"\"a@b\"@x", "\"a@b\"@x", "\"a@b\"@x"},
      {"\"a@b\"", "\"a@b\"", "\"a@b\""},
      {"\"a\\\"b\"@x", "\"a\\\"b\"@x", "\"a\\\"b\"@x"},
      {"\"a\\\\b\"@x", "\"a\\\\b\"@x", "\"a\\\\b\"@x"},
      {"\"\\\"a\"@x", "\"\\\"a\"@x", "\"\\\"a\"@x"},
      {"\"-a\"@x", "\"-a\"@x", "\"-a\"@x"},
      {"\"\"@x", "\"\"@x", "\"\"@x"},
  };
  for (const auto& [address, spelling, key] : rows) {
    EXPECT_EQ(lookup_spelling(address), spelling);
    EXPECT_EQ(lookup_key(address), key);
  }
}

TEST(LookupKey, OfWhatIsNoAddressStaysAsItIs) {
  for (const char* const text : {"\"a", "\"", "\"a\"b@x", "\"a\\", "a@b@c", "@", "a@"})
    EXPECT_EQ(lookup_key(text), text);
}

}  // namespace
}  // namespace relayd::mail
