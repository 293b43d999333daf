// The keys of a secret, wherever one stands, and how it is read.
#include "shared/config/keys.hpp"

namespace relayd::config {

const Keys<SecretSource>& keys_of(const SecretSource*) {
  using Kind = SecretSource::Kind;
  static const Keys<SecretSource> keys = {
      {"file",
       [](Reader& reader, const Node& node, SecretSource& out) {
         out.kind = Kind::file;
         private_file("file", &SecretSource::name).read(reader, node, out);
       }},
      {"env",
       [](Reader& reader, const Node& node, SecretSource& out) {
         out.kind = Kind::environment;
         read(reader, node, out.name);
         if (!out.name.empty()) reader.require_variable(node, out.name);
       }},
      {"credential",
       [](Reader& reader, const Node& node, SecretSource& out) {
         out.kind = Kind::file;
         const std::optional<std::string> name = reader.text(node, "the name of a credential");
         if (name) out.name = reader.credential(node, *name);
       }},
      {"command",
       [](Reader& reader, const Node& node, SecretSource& out) {
         out.kind = Kind::command;
         read(reader, node, out.command);
         if (out.command.empty()) reader.error(node.place, "expected a command, found an empty list");
       }},
  };
  return keys;
}

// A secret is a plain text, or a map with one way to get it.
void read(Reader& reader, const Node& node, SecretSource& out) {
  const Reader::Outside outside(reader);
  out.where = node.place.where;
  if (node.kind == Node::Kind::map) {
    read_keys(reader, node, keys_of(&out), out);
    if (node.entries.size() != 1)
      reader.error(node.place, "a secret has one of file, env, credential and command");
    return;
  }
  std::optional<std::string> text =
      reader.text(node, "a secret (a text, or one of file, env, credential and command)");
  if (!text) return;
  reader.literal_secret(node);
  out.kind = SecretSource::Kind::literal;
  out.literal = Secret(std::move(*text));
}

}  // namespace relayd::config
