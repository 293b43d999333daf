// What the tests of this room share: loading text, and files of their own that others may not read.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "shared/config/config.hpp"

namespace relayd::config {

// The complaints of a load, one a line.
inline std::string lines(const std::vector<Diagnostic>& diagnostics) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics) text += to_string(diagnostic) + "\n";
  return text;
}

inline Loaded load(std::string_view text, const Environment& environment = {}) {
  return load_text(text, "test.yaml", environment);
}

// The configuration of a text that must be good.
inline Config good(std::string_view text, const Environment& environment = {}) {
  const Loaded loaded = load(text, environment);
  if (!loaded.config) throw std::runtime_error(lines(loaded.errors));
  return *loaded.config;
}

inline std::string errors(std::string_view text, const Environment& environment = {}) {
  return lines(load(text, environment).errors);
}

// A folder that lives as long as the test.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "relayd-config-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }
  std::string write(const std::string& name, std::string_view text, mode_t mode = 0600) const {
    const std::filesystem::path file = path_ / name;
    std::ofstream(file, std::ios::binary) << text;
    ::chmod(file.c_str(), mode);
    return file.string();
  }

 private:
  std::filesystem::path path_;
};

}  // namespace relayd::config
