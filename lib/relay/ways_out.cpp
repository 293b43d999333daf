#include "relay/ways_out.hpp"

#include <fmt/format.h>

#include <utility>

#include "route/control.hpp"
#include "tell/log.hpp"

namespace relayd {

void tell_of(telemetry::Log& log, std::string_view id, const rewrite::Notes& notes, const std::string& file) {
  for (const rewrite::Note& note : notes)
    tell::not_rewritten(log, id, note.address,
                        fmt::format("{}:{}: {}", file, note.rule.line, text_of(note.why)));
}

WaysOut::WaysOut(std::shared_ptr<const route::Router> router, std::shared_ptr<const rewrite::Staging> staging,
                 std::shared_ptr<const table::Tables> tables, rewrite::DkimKeys keys)
    : router_(std::move(router)),
      staging_(std::move(staging)),
      tables_(std::move(tables)),
      lookup_([&known = *tables_](std::string_view table, std::string_view key) {
        return known.find(table, key);
      }),
      keys_(std::move(keys)) {
  const config::Config& config = router_->config();
  add(&config, config.changes);
  for (const config::Upstream& upstream : config.upstreams) add(&upstream, upstream.changes);
  for (const auto* rules : {&config.recipients, &config.senders})
    for (const config::SenderRule& rule : *rules) add(&rule, rule.changes);
}

void WaysOut::add(const void* of, const config::Changes& changes) {
  rewrite::Scope scope;
  scope.rewrite = rewrite::RewriteRules(changes.rewrite, rewrite::When::sent);
  if (!changes.headers.empty()) scope.headers = &changes.headers;
  if (!scope.rewrite.empty() || scope.headers) scopes_.emplace(of, std::move(scope));
}

const rewrite::Scope* WaysOut::find(const void* of) const {
  const auto found = scopes_.find(of);
  return found == scopes_.end() ? nullptr : &found->second;
}

rewrite::Way WaysOut::of(const config::SenderRule* rule, const route::Upstream& upstream,
                         std::string_view mark) const {
  rewrite::Way way;
  way.rule = find(rule);
  way.upstream = find(upstream.settings);
  way.general = find(&router_->config());
  way.staging = staging_.get();
  way.lookup = &lookup_;
  way.control_fields = &route::control_fields();
  way.own_control_fields = route::control_fields_of(upstream);
  if (upstream.preset) way.unsigned_names = upstream.preset->replaces;
  if (upstream.preset && !upstream.preset->null_sender) way.report_sender = router_->config().bounce.from;
  way.mark = mark;
  return way;
}

}  // namespace relayd
