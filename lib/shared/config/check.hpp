// What must hold between keys, once each of them could be read. Private to this room.
//
// What stands in files beside the configuration is checked by these, too.
#pragma once

#include "shared/config/reader.hpp"

namespace relayd::config {

// One rule, which was read from `node`: all but what its pattern is and who else has it.
void check_sender(Reader& reader, const Node& node, const Config& config);

// Whether the `upstream` of a rule is several with their shares, `{a: 90, b: 10}`. A map with a name is one.
bool holds_shares(const Node& upstream);

// The name of one account.
void check_account_name(Reader& reader, const Place& place, const Account& account);

// The name of a table, where one is used.
void check_table_name(Reader& reader, const Node& node, const Config& config);

// `config` was read from `root`, so that its lists run in step with the nodes'; what other files have added
// comes behind. Defaults are not filled in yet.
void check_config(Reader& reader, const Node& root, const Config& config);

// Of it, `listen`, and the names of listeners that rules ask for.
void check_listeners(Reader& reader, const Node& root, const Config& config);

// Of it, `bounce`.
void check_bounce(Reader& reader, const Node& root, const Config& config);

// Of it, the rules of `rewrite`, wherever they stand.
void check_rewrite(Reader& reader, const Node& root, const Config& config);

// Of an upstream, a rule or one of its upstreams that has `oauth2`.
void check_oauth2(Reader& reader, const Node& owner);

// Of an upstream, what is said of how it is reached: as LMTP, at a unix socket, through a proxy, as a
// Maildir.
void check_reach(Reader& reader, const Node& node, const Upstream& upstream);

// Of it, `http`.
void check_http(Reader& reader, const Node& root, const Config& config);

// Of it, `webhooks`.
void check_webhooks(Reader& reader, const Node& root, const Config& config);

}  // namespace relayd::config
