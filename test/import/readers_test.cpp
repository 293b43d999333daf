// The files of Postfix as it reads them itself, and what in them cannot be known.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "import/destination.hpp"
#include "import/main_cf.hpp"
#include "import/maps.hpp"
#include "import/master_cf.hpp"

namespace relayd::importing {
namespace {

using testing::HasSubstr;

std::string value(std::string_view main_cf, std::string_view name) {
  const Result<MainCf> main = MainCf::parse(main_cf, "box.example.org");
  const Result<std::string> got = main->get(name);
  return got ? *got : "error: " + got.error();
}

TEST(MainCf, JoinsLinesAndLeavesCommentsOut) {
  const std::string text =
      "# one\nmynetworks = 127.0.0.0/8,\n# two\n\n  10.0.0.0/8\nx=1\nx = 2\nno setting\n";
  EXPECT_EQ(value(text, "mynetworks"), "127.0.0.0/8,  10.0.0.0/8");
  EXPECT_EQ(value(text, "x"), "2");
  const Result<MainCf> main = MainCf::parse(text);
  EXPECT_EQ(main->find("mynetworks")->line, 2);
  ASSERT_EQ(main->overruled().size(), 2);
  EXPECT_EQ(main->overruled()[0].line, 6);
  EXPECT_EQ(main->overruled()[1].line, 8);
}

TEST(MainCf, ReplacesNames) {
  const std::string text = "myhostname = a.example.net\ne =\nf = x\nv = ";
  EXPECT_EQ(value(text + "$mydomain ${f}$(f)$$f", "v"), "example.net xx$f");
  EXPECT_EQ(value(text + "${f?yes}${e?no}${e:unset}${f:no}", "v"), "yesunset");
  EXPECT_EQ(value(text + "${e?{a}:{b}}${f?{$f}:{d}}", "v"), "bx");
  EXPECT_EQ(value("", "mydestination"), "box.example.org, localhost.example.org, localhost");
}

TEST(MainCf, GuessesNothingAndEnds) {
  EXPECT_THAT(value("a = $b\nb = $a\n", "a"), HasSubstr("circle"));
  EXPECT_THAT(value("a = $nobody_knows\n", "a"), HasSubstr("$nobody_knows"));
  EXPECT_THAT(value("a = ${b\n", "a"), HasSubstr("not closed"));
  std::string doubling = "a0 = xxxxxxxx\n";
  for (int i = 1; i < 40; ++i) doubling += fmt::format("a{} = $a{}$a{}\n", i, i - 1, i - 1);
  EXPECT_THAT(value(doubling, "a39"), testing::StartsWith("error: "));
  EXPECT_FALSE(MainCf::parse(std::string_view("a = 1\n\0", 7)).ok());
}

TEST(MasterCf, HasServicesWithTheirOptions) {
  const Result<MasterCf> master = parse_master_cf(
      "smtps inet n - y - - smtpd\n  -o smtpd_tls_wrappermode=yes\n  -o { a = b c }\nhalf a line\n"
      "drop unix - n n - - pipe flags=R user=v\n");
  ASSERT_EQ(master->services.size(), 2);
  EXPECT_EQ(master->services[0].overrides, (Overrides{{"smtpd_tls_wrappermode", "yes"}, {"a", "b c"}}));
  EXPECT_EQ(master->services[1].command, "pipe");
  EXPECT_EQ(master->services[1].line, 5);
  EXPECT_EQ(master->faults, std::vector<std::size_t>{4});
}

TEST(Maps, AreReadFromTheirSources) {
  const MapReader reader{[](const std::string& path) -> Result<std::string> {
                           if (path != "/etc/m") return Error{"not there"};
                           return std::string("# c\nKey@X  a b\nkey@x again\nother\n  c\n");
                         },
                         {}};
  const std::vector<Map> maps = read_maps(
      "proxy:hash:/etc/m, inline:{ {k = v w}, l=m } hash:/etc/gone mysql:/etc/q.cf", {"main.cf", 3}, reader);
  ASSERT_EQ(maps.size(), 4);
  EXPECT_EQ(find_row(maps, "KEY@x")->value, "a b");
  EXPECT_EQ(find_row(maps, "other")->where.line, 4);
  EXPECT_EQ(find_row(maps, "k")->value, "v w");
  EXPECT_EQ(find_row(maps, "l")->value, "m");
  EXPECT_EQ(find_row(maps, "absent"), nullptr);
  EXPECT_THAT(maps[2].complaint, HasSubstr("postmap -s"));
  EXPECT_THAT(maps[3].complaint, HasSubstr("mysql"));
}

TEST(Destination, IsAHostAndAPort) {
  const auto shown = [](std::string_view text) {
    const Result<Destination> to = parse_destination(text);
    return to ? fmt::format("{} {} {}", to->host, to->port, to->mx) : "error";
  };
  EXPECT_EQ(shown("[mail.example.net]:submission"), "mail.example.net 587 false");
  EXPECT_EQ(shown("example.net"), "example.net 25 true");
  EXPECT_EQ(shown("[::1]:2525"), "::1 2525 false");
  EXPECT_EQ(shown("[x"), "error");
  EXPECT_EQ(shown("[x]:nowhere"), "error");
  EXPECT_EQ(known_host("email-smtp.eu-west-1.amazonaws.com")->region, "eu-west-1");
  EXPECT_EQ(seconds_of("2d", 's'), 172800);
  EXPECT_EQ(seconds_of("2x", 's'), std::nullopt);
}

}  // namespace
}  // namespace relayd::importing
