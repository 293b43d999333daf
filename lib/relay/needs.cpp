#include "relay/needs.hpp"

#include <algorithm>
#include <filesystem>

namespace relayd {

namespace {

namespace fs = std::filesystem;

std::string without_links(const std::string& path) {
  std::error_code failure;
  const fs::path found = fs::weakly_canonical(fs::absolute(path, failure), failure);
  return failure ? path : found.string();
}

bool is_command(const config::SecretSource& source) {
  return source.kind == config::SecretSource::Kind::command;
}

bool starts_programs(const config::Config& config) {
  const auto of_account = [](const config::Account& account) {
    return is_command(account.password) || is_command(account.scram_sha_256);
  };
  const auto of_login = [](const auto& login) {
    const std::optional<config::OAuth2>& oauth2 = login.oauth2;
    return is_command(login.password) || is_command(login.next_password) ||
           (oauth2 && (is_command(oauth2->client_secret) || is_command(oauth2->refresh_token) ||
                       !oauth2->token_command.empty()));
  };
  const auto of_rule = [&](const config::SenderRule& rule) {
    return of_login(rule) || std::ranges::any_of(rule.upstreams, of_login);
  };
  const auto of_webhook = [](const config::Webhook& webhook) {
    return std::ranges::any_of(webhook.secrets, is_command);
  };
  return (config.http && is_command(config.http->token)) ||
         std::ranges::any_of(config.accounts, of_account) ||
         std::ranges::any_of(config.upstreams, of_login) || std::ranges::any_of(config.senders, of_rule) ||
         std::ranges::any_of(config.recipients, of_rule) || std::ranges::any_of(config.webhooks, of_webhook);
}

}  // namespace

process::Needs needs_of(const config::Config& config) {
  process::Needs needs;
  needs.directories = {without_links(config.queue.directory), without_links(config.drop_directory())};
  for (const config::Upstream& upstream : config.upstreams) {
    if (upstream.sandbox_directory) needs.directories.push_back(without_links(*upstream.sandbox_directory));
    if (upstream.maildir) needs.directories.push_back(without_links(upstream.maildir->directory));
  }
  needs.sockets.push_back(without_links(config.admin_socket()));
  for (const config::Listener& listener : config.listeners)
    if (!listener.unix_path.empty()) needs.sockets.push_back(without_links(listener.unix_path));
  if (config.http && !config.http->unix_path.empty())
    needs.sockets.push_back(without_links(config.http->unix_path));
  needs.programs = starts_programs(config);
  return needs;
}

}  // namespace relayd
