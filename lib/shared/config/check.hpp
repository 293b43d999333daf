// What must hold between keys, once each of them could be read. Private to this room.
//
// What stands in files beside the configuration is checked by these, too.
#pragma once

#include "shared/config/reader.hpp"

namespace relayd::config {

// One rule, which was read from `node`: all but what its pattern is and who else has it.
void check_sender(Reader& reader, const Node& node, const Config& config);

// The name of one account.
void check_account_name(Reader& reader, const Place& place, const Account& account);

// The name of a table, where one is used.
void check_table_name(Reader& reader, const Node& node, const Config& config);

// `config` was read from `root`, so that its lists run in step with the nodes'; what other files have added
// comes behind. Defaults are not filled in yet.
void check_config(Reader& reader, const Node& root, const Config& config);

// Of it, `bounce`.
void check_bounce(Reader& reader, const Node& root, const Config& config);

// Of it, the rules of `rewrite`, wherever they stand.
void check_rewrite(Reader& reader, const Node& root, const Config& config);

// Of it, `webhooks`.
void check_webhooks(Reader& reader, const Node& root, const Config& config);

}  // namespace relayd::config
