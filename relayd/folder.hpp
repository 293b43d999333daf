// Folder: a temporary folder of a command's own, gone with the process that made it.
#pragma once

#include <filesystem>
#include <string>

namespace relayd::command {

class Folder {
 public:
  // "relayd-NAME-XXXXXX" where temporary files are; throws std::runtime_error.
  explicit Folder(const std::string& name);
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder();

  std::string at(const std::string& name) const { return path_ / name; }
  // For its owner alone.
  void write(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

}  // namespace relayd::command
