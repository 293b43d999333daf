// What became of each line that was imported, for the person who asked. Pure. No secret may be in it.
#pragma once

#include <string>
#include <vector>

#include "import/place.hpp"

namespace relayd::importing {

struct Finding {
  enum class Kind { carried, left };
  Kind kind = Kind::carried;
  Place where;
  std::string text;  // what it means, or why it was left out and what to do
};

class Report {
 public:
  void carried(const Place& where, std::string text);
  void left(const Place& where, std::string text);
  // Of what was to be carried over, as the entries of that line say.
  void left_after_all(const Place& where, std::string text);
  // A parameter that says nothing to a relay.
  void meaningless(const Place& where, std::string name);

  bool left_out() const;
  const std::vector<Finding>& findings() const { return findings_; }
  // In the order of the files; each line as FILE:LINE: TEXT.
  std::string text() const;

 private:
  std::vector<Finding> findings_;
  std::vector<Finding> meaningless_;
};

}  // namespace relayd::importing
