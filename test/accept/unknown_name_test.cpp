// A name that nobody has and a wrong password for one that somebody has: the same exchange, and the same
// work.
#include <gsasl.h>
#include <gtest/gtest.h>

#include <vector>

#include "accept/derivations.hpp"
#include "accept/intake.hpp"
#include "shared/sasl/sasl.hpp"

std::vector<unsigned> relayd::test::derived;

// The linker sends calls of the library's function here, so that they can be counted (test/CMakeLists.txt).
extern "C" decltype(gsasl_scram_secrets_from_password) __real_gsasl_scram_secrets_from_password;
extern "C" int __wrap_gsasl_scram_secrets_from_password(Gsasl_hash hash, const char* password,
                                                        unsigned iterations, const char* salt,
                                                        std::size_t salt_size, char* salted, char* client_key,
                                                        char* server_key, char* stored_key) {
  relayd::test::derived.push_back(iterations);
  return __real_gsasl_scram_secrets_from_password(hash, password, iterations, salt, salt_size, salted,
                                                  client_key, server_key, stored_key);
}

namespace relayd::accept {
namespace {

using test::derived;

// What a login with a wrong password is like.
struct Course {
  std::vector<unsigned> derivations;
  std::vector<std::size_t> challenges;  // their lengths
  bool operator==(const Course&) const = default;
};

Course fail(const Accounts& accounts, sasl::Mechanism mechanism, const std::string& name) {
  sasl::Client client(mechanism, {name, Secret("wrong")});
  sasl::Server server(mechanism, [&](std::string_view wanted) { return find_account(accounts, wanted); });
  std::string response = *client.step("");
  derived.clear();
  Course course;
  sasl::Server::Step step = server.begin(response);
  while (step.kind == sasl::Server::Step::Kind::challenge) {
    course.challenges.push_back(step.text.size());
    const std::vector<unsigned> so_far = derived;
    response = *client.step(step.text);
    derived = so_far;  // not the client's
    step = server.step(response);
  }
  EXPECT_EQ(step.kind, sasl::Server::Step::Kind::failure);
  course.derivations = derived;
  return course;
}

TEST(UnknownName, CostsWhatAWrongPasswordCosts) {
  Accounts in_clear;
  in_clear.emplace("ann", Secret("secret"));
  Accounts hashed;
  hashed.emplace("ann", *sasl::parse_scram_secret(*sasl::make_scram_secret(Secret("secret"), 5000)));
  for (const Accounts& accounts : {in_clear, hashed})
    for (const sasl::Mechanism mechanism : {sasl::Mechanism::plain, sasl::Mechanism::scram_sha_256}) {
      const Course known = fail(accounts, mechanism, "ann");
      EXPECT_EQ(known, fail(accounts, mechanism, "eve")) << to_string(mechanism);
      EXPECT_FALSE(known.derivations.empty()) << to_string(mechanism);
    }
  const std::vector<unsigned> plain = fail(hashed, sasl::Mechanism::plain, "eve").derivations;
  EXPECT_EQ(plain.back(), 5000U);
}

}  // namespace
}  // namespace relayd::accept
