#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "shared/config/command.hpp"
#include "shared/config/config.hpp"
#include "shared/config/test_config.hpp"

namespace relayd::config {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Kind = SecretSource::Kind;

SecretSource from_file(const std::string& path) {
  SecretSource source;
  source.kind = Kind::file;
  source.name = path;
  return source;
}

SecretSource from_command(std::vector<std::string> argv) {
  SecretSource source;
  source.kind = Kind::command;
  source.command = std::move(argv);
  return source;
}

std::string clear(const SecretSource& source) {
  const Result<Secret> secret = source.read();
  return secret ? std::string(secret->reveal()) : "error: " + secret.error();
}

TEST(SecretSource, NothingIsNotGiven) {
  EXPECT_FALSE(SecretSource().given());
  EXPECT_FALSE(SecretSource().read().ok());
}

TEST(SecretSource, OneFinalLineEndOfAFileIsDropped) {
  Folder folder;
  EXPECT_EQ(clear(from_file(folder.write("a", "hunter2"))), "hunter2");
  EXPECT_EQ(clear(from_file(folder.write("b", "hunter2\n"))), "hunter2");
  EXPECT_EQ(clear(from_file(folder.write("c", "hunter2\r\n"))), "hunter2");
  EXPECT_EQ(clear(from_file(folder.write("d", " hunter 2 \n"))), " hunter 2 ");
}

TEST(SecretSource, AFileIsReadAnewEachTime) {
  Folder folder;
  const SecretSource source = from_file(folder.write("secret", "old\n"));
  EXPECT_EQ(clear(source), "old");
  folder.write("secret", "new\n");
  EXPECT_EQ(clear(source), "new");
}

TEST(SecretSource, SeveralLinesNulAndNothingAreRefusedWithoutShowingThem) {
  Folder folder;
  for (const std::string& text : {std::string("hunter2\n\n"), std::string("hunter2\nx"),
                                  std::string("hunter2\rx"), std::string("hunter2\0x", 9)}) {
    const std::string said = clear(from_file(folder.write("secret", text)));
    EXPECT_THAT(said, HasSubstr("secret: a secret is one line without NUL"));
    EXPECT_THAT(said, testing::Not(HasSubstr("hunter2")));
  }
  EXPECT_THAT(clear(from_file(folder.write("secret", "\n"))), HasSubstr("the secret is empty"));
}

TEST(SecretSource, AFileThatIsTooLongOrMissingIsRefused) {
  Folder folder;
  EXPECT_THAT(clear(from_file(folder.write("long", std::string(65537, 'x')))),
              HasSubstr("more than 65536 octets"));
  EXPECT_THAT(clear(from_file((folder.path() / "none").string())), HasSubstr("No such file"));
}

TEST(SecretSource, AVariableIsReadFromTheProcess) {
  SecretSource source;
  source.kind = Kind::environment;
  source.name = "RELAYD_TEST_SECRET";
  ::unsetenv("RELAYD_TEST_SECRET");
  EXPECT_EQ(clear(source), "error: the variable RELAYD_TEST_SECRET is not set");
  ::setenv("RELAYD_TEST_SECRET", "hunter2", 1);
  EXPECT_EQ(clear(source), "hunter2");
  ::unsetenv("RELAYD_TEST_SECRET");
}

TEST(SecretSource, ACommandPrintsTheSecret) {
  EXPECT_EQ(clear(from_command({"printf", "%s\\n", "$HOME; x"})), "$HOME; x");
}

TEST(SecretSource, ACommandThatFailsGivesNoSecret) {
  const std::string said = clear(from_command({"/bin/sh", "-c", "echo hunter2; exit 3"}));
  EXPECT_EQ(said, "error: /bin/sh ended with status 3");
  EXPECT_EQ(clear(from_command({"/bin/sh", "-c", "kill -9 $$"})), "error: /bin/sh was ended by signal 9");
  EXPECT_EQ(clear(from_command({"/nowhere/program"})),
            "error: cannot run /nowhere/program: No such file or directory");
}

TEST(SecretSource, ACommandReadsNothingAndInheritsNoDescriptor) {
  EXPECT_THAT(clear(from_command({"cat"})), HasSubstr("the secret is empty"));
  const int inherited = ::dup(STDOUT_FILENO);  // without close-on-exec
  const std::string script =
      "test -e /proc/self/fd/" + std::to_string(inherited) + " && echo open || echo closed";
  EXPECT_EQ(clear(from_command({"/bin/sh", "-c", script})), "closed");
  ::close(inherited);
}

TEST(SecretSource, ACommandThatPrintsTooMuchIsStopped) {
  EXPECT_EQ(clear(from_command({"yes"})), "error: yes printed more than 65536 octets");
}

TEST(Command, OneThatDoesNotEndIsKilledWithItsChildren) {
  Folder folder;
  const std::string fifo = (folder.path() / "never").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const Result<std::string> printing = run_command({"/bin/sh", "-c", "cat " + fifo + " & wait"}, 20ms, 100);
  EXPECT_EQ(printing.error(), "/bin/sh did not end within 20 ms");
  const Result<std::string> silent =
      run_command({"/bin/sh", "-c", "exec >&-; read line < " + fifo}, 20ms, 100);
  EXPECT_EQ(silent.error(), "/bin/sh did not end within 20 ms");
}

}  // namespace
}  // namespace relayd::config
