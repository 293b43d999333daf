#include "shared/mime/file_name.hpp"

#include <gtest/gtest.h>

namespace relayd::mime {
namespace {

TEST(FileName, APlainOneStays) {
  for (const char* name : {"report.pdf", "Grüße aus Köln.txt", "a;b.html", "two words", "a..b"})
    EXPECT_EQ(clean_file_name(name), name);
}

TEST(FileName, LeadsNowhereElse) {
  EXPECT_EQ(clean_file_name("../../x"), "x");
  EXPECT_EQ(clean_file_name("..\\..\\boot.ini"), "boot.ini");
  EXPECT_EQ(clean_file_name("/etc/passwd"), "passwd");
  EXPECT_EQ(clean_file_name(".."), "");
  EXPECT_EQ(clean_file_name(".bashrc. "), "bashrc");
  EXPECT_EQ(clean_file_name("C:x"), "C_x");
}

TEST(FileName, HidesNothing) {
  EXPECT_EQ(clean_file_name("a\r\nSet-Cookie: b"), "a__Set-Cookie_ b");
  EXPECT_EQ(clean_file_name("exe\u202Etxt"), "exe_txt");
  EXPECT_EQ(clean_file_name("a\"b<c>d|e?f*g"), "a_b_c_d_e_f_g");
  EXPECT_EQ(clean_file_name("r\xe9sum\xe9.pdf"), "r_sum_.pdf");
}

TEST(FileName, IsNoDevice) {
  EXPECT_EQ(clean_file_name("con"), "_con");
  EXPECT_EQ(clean_file_name("NUL.txt"), "_NUL.txt");
  EXPECT_EQ(clean_file_name("com1 .log"), "_com1 .log");
  EXPECT_EQ(clean_file_name("console.log"), "console.log");
  EXPECT_EQ(clean_file_name("com.log"), "com.log");
}

TEST(FileName, ALongOneKeepsItsEnding) {
  const std::string name = clean_file_name(std::string(4096, 'a') + ".pdf");
  EXPECT_EQ(name.size(), longest_file_name);
  EXPECT_TRUE(name.ends_with("a.pdf"));
  std::string letters;
  while (letters.size() < 4096) letters += "é";
  const std::string cut = clean_file_name("x" + letters);
  EXPECT_LE(cut.size(), longest_file_name);
  EXPECT_EQ(cut.size() % 2, 1u) << "no letter is cut";
}

}  // namespace
}  // namespace relayd::mime
