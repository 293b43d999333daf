// The table of keys: one row each, and the reading of a whole tree through it. Private to this room.
//
// Each section has its rows in a file of its own: keys_listen.cpp (listen, tls, accounts, access, limits),
// keys_queue.cpp, keys_upstreams.cpp, keys_bounce.cpp, keys_copies.cpp, keys_dkim.cpp, keys_headers.cpp,
// keys_http.cpp, keys_oauth2.cpp, keys_rewrite.cpp, keys_senders.cpp, keys_secret.cpp, keys_suppress.cpp,
// keys_tables.cpp, keys_watch.cpp, keys_webhooks.cpp; keys.cpp has the top and what is small. Rows stand in
// the order of config.example.yaml. A key that is one field is `key`, a name that is only kept free
// `reserved`; a row with a function of its own is for the rest.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shared/config/reader.hpp"

namespace relayd::config {

void read_config(Reader& reader, const Node& root, Config& config);

void read(Reader& reader, const Node& node, std::vector<Alias>& out);
void read(Reader& reader, const Node& node, RewriteRule& out);
void read(Reader& reader, const Node& node, Bcc& out);
void read(Reader& reader, const Node& node, Webhook& out);
void read_headers(Reader& reader, const Node& node, HeaderRules& rules);

// --- the tables -------------------------------------------------------------------------------------------

const Keys<SecretSource>& keys_of(const SecretSource*);
const Keys<Listener>& keys_of(const Listener*);
const Keys<Certificate>& keys_of(const Certificate*);
const Keys<Account>& keys_of(const Account*);
const Keys<Access>& keys_of(const Access*);
const Keys<Limits>& keys_of(const Limits*);
const Keys<Retry>& keys_of(const Retry*);
const Keys<Queue>& keys_of(const Queue*);
const Keys<TlsOptions>& keys_of(const TlsOptions*);
const Keys<UpstreamLimits>& keys_of(const UpstreamLimits*);
const Keys<Upstream>& keys_of(const Upstream*);
const Keys<OAuth2>& keys_of(const OAuth2*);
const Keys<RuleUpstream>& keys_of(const RuleUpstream*);
const Keys<SenderRule>& keys_of(const SenderRule*);
const Keys<RewriteRule>& keys_of(const RewriteRule*);
const Keys<HeaderRules>& keys_of(const HeaderRules*);
const Keys<Table>& keys_of(const Table*);
const Keys<DkimKey>& keys_of(const DkimKey*);
const Keys<Log>& keys_of(const Log*);
const Keys<History>& keys_of(const History*);
const Keys<Admin>& keys_of(const Admin*);
const Keys<Bcc>& keys_of(const Bcc*);
const Keys<Bounce>& keys_of(const Bounce*);
const Keys<Staging>& keys_of(const Staging*);
const Keys<Suppress>& keys_of(const Suppress*);
const Keys<Webhook>& keys_of(const Webhook*);
const Keys<Http>& keys_of(const Http*);
const Keys<Watch>& keys_of(const Watch*);
const Keys<Config>& keys_of(const Config*);

// --- kinds of rows, beside those of the reader ------------------------------------------------------------

// A path: relative ones start at the configuration's folder.
template <class T, class M>
Key<T> path(std::string_view name, M T::*field) {
  return {name, [field](Reader& reader, const Node& node, T& out) {
            if (std::optional<std::string> path = reader.path(node)) out.*field = std::move(*path);
          }};
}

// A path of which the place is kept, too: of a file that is read and checked as a whole.
template <class T>
Key<T> path(std::string_view name, std::string T::*field, Location T::*where) {
  return {name, [field, where](Reader& reader, const Node& node, T& out) {
            const Reader::Outside outside(reader);
            if (std::optional<std::string> path = reader.path(node)) out.*field = std::move(*path);
            out.*where = node.place.where;
          }};
}

// The path of a file that must be there when the configuration is loaded.
template <class T>
Key<T> file(std::string_view name, std::string T::*field,
            void (Reader::*require)(const Node&, const std::string&) = &Reader::require_readable) {
  return {name, [field, require](Reader& reader, const Node& node, T& out) {
            const Reader::Outside outside(reader);
            std::optional<std::string> path = reader.path(node);
            if (!path) return;
            (reader.*require)(node, *path);
            out.*field = std::move(*path);
          }};
}

// The same of one that others may not read.
template <class T>
Key<T> private_file(std::string_view name, std::string T::*field) {
  return file(name, field, &Reader::require_private);
}

// The same of a TLS key.
template <class T>
Key<T> private_key(std::string_view name, std::string T::*field) {
  return file(name, field, &Reader::require_private_key);
}

// Keys one level down in the file that are fields of the same struct.
template <class T>
Key<T> group(std::string_view name, Keys<T> keys) {
  std::vector<KeyRow> below = rows(keys, "");
  return {name,
          [keys = std::move(keys)](Reader& reader, const Node& node, T& out) {
            read_keys(reader, node, keys, out);
          },
          std::move(below)};
}

// A key of `changes`, which several sections have.
template <class T, class M>
Key<T> change(std::string_view name, M Changes::*field) {
  const auto into = [field](Reader& reader, const Node& node, T& out) {
    read(reader, node, out.changes.*field);
  };
  return {name, into, rows_below(static_cast<const M*>(nullptr))};
}

// `headers`, of a section that has `changes`.
template <class T>
Key<T> headers_key() {
  return {"headers",
          [](Reader& reader, const Node& node, T& out) { read_headers(reader, node, out.changes.headers); },
          rows(keys_of(static_cast<const HeaderRules*>(nullptr)), "")};
}

// A text that must have a form; `parse` checks it and may normalise it.
template <class T, class M>
Key<T> text(std::string_view name, M T::*field, Result<std::string> (*parse)(std::string_view)) {
  return {name, [field, parse](Reader& reader, const Node& node, T& out) {
            const std::optional<std::string> text = reader.text(node, "a text");
            if (!text) return;
            Result<std::string> value = parse(*text);
            if (value)
              out.*field = std::move(*value);
            else
              reader.error(node.place, value.error());
          }};
}

}  // namespace relayd::config
