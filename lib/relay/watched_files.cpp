#include "relay/watched_files.hpp"

namespace relayd {

namespace {

class Files {
 public:
  void add(const std::string& path) {
    if (!path.empty()) paths_.push_back(path);
  }
  void add(const config::SecretSource& source) {
    if (source.kind == config::SecretSource::Kind::file) add(source.name);
  }
  void add_login(const auto& login) {
    add(login.password);
    add(login.next_password);
    if (!login.oauth2) return;
    const config::OAuth2& oauth2 = *login.oauth2;
    add(oauth2.client_secret);
    add(oauth2.refresh_token);
    for (const std::string* const file :
         {&oauth2.client_certificate, &oauth2.client_key, &oauth2.key_file, &oauth2.ca_file})
      add(*file);
  }
  std::vector<std::string> take() { return std::move(paths_); }

 private:
  std::vector<std::string> paths_;
};

void add_read(const config::Config& config, Files& files) {
  for (const config::Certificate& pair : config.certificates) {
    files.add(pair.certificate);
    files.add(pair.key);
  }
  for (const config::Account& account : config.accounts) {
    files.add(account.password);
    files.add(account.scram_sha_256);
  }
  for (const config::Table& table : config.tables) {
    files.add(table.file);
    files.add(table.regexp);
  }
  for (const config::DkimKey& key : config.dkim) files.add(key.key);
  for (const config::Webhook& webhook : config.webhooks) {
    for (const config::SecretSource& secret : webhook.secrets) files.add(secret);
    files.add(webhook.ca_file);
  }
  for (const std::string* const file : {&config.aliases_file, &config.senders_file, &config.accounts_file})
    files.add(*file);
}

}  // namespace

std::vector<std::string> watched_files(const config::Config& config) {
  Files files;
  add_read(config, files);
  return files.take();
}

std::vector<std::string> named_files(const config::Config& config) {
  Files files;
  add_read(config, files);
  for (const config::Upstream& upstream : config.upstreams) {
    files.add_login(upstream);
    files.add(upstream.tls_options.ca_file);
    files.add(upstream.tls_options.client_certificate);
    files.add(upstream.tls_options.client_key);
  }
  for (const auto* rules : {&config.recipients, &config.senders})
    for (const config::SenderRule& rule : *rules) {
      files.add_login(rule);
      for (const config::RuleUpstream& upstream : rule.upstreams) files.add_login(upstream);
    }
  return files.take();
}

}  // namespace relayd
