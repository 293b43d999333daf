// WaysOut: what the configuration does to messages on their ways out, prepared once.
//
// Joins the configuration, rewrite, tables and signing keys. Made with the Setup; immutable and shared.
// What a reload has replaced before a message's content leaves is made anew (Dispatcher::holds).
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "rewrite/dkim.hpp"
#include "rewrite/outgoing.hpp"
#include "route/router.hpp"
#include "shared/config/config.hpp"
#include "shared/table/table.hpp"
#include "shared/telemetry/log.hpp"

namespace relayd {

// Tells of addresses that stay although a rule is about them. `id`: of the message; empty: not known yet.
void tell_of(telemetry::Log& log, std::string_view id, const rewrite::Notes& notes, const std::string& file);

class WaysOut {
 public:
  // The configuration is the router's, which lives on with this.
  WaysOut(std::shared_ptr<const route::Router> router, std::shared_ptr<const rewrite::Staging> staging,
          std::shared_ptr<const table::Tables> tables, rewrite::DkimKeys keys);

  // Of a rule (null: none) and an upstream of that router. `mark`: of this relay. Lives as long as this does.
  rewrite::Way of(const config::SenderRule* rule, const route::Upstream& upstream,
                  std::string_view mark) const;

  const rewrite::TableLookup& lookup() const { return lookup_; }
  const rewrite::DkimKeys& keys() const { return keys_; }
  const route::Router& router() const { return *router_; }

 private:
  void add(const void* of, const config::Changes& changes);
  const rewrite::Scope* find(const void* of) const;

  std::shared_ptr<const route::Router> router_;
  std::shared_ptr<const rewrite::Staging> staging_;
  std::shared_ptr<const table::Tables> tables_;
  rewrite::TableLookup lookup_;
  rewrite::DkimKeys keys_;
  // Of each rule, each upstream and the configuration, where it changes anything.
  std::unordered_map<const void*, rewrite::Scope> scopes_;
};

}  // namespace relayd
