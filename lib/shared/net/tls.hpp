// TLS by BoringSSL: contexts (what we demand or offer) and the engine that turns clear bytes into records and
// back.
//
// The engine has no socket: Connection feeds it what arrived and sends what it leaves in output(). All of it
// belongs to the loop's thread. TLS 1.2 is the floor; there is no renegotiation, no early data, no clear
// fallback.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shared/async/dialer.hpp"
#include "shared/async/stream.hpp"
#include "shared/base/result.hpp"
#include "shared/base/time.hpp"
#include "shared/net/tls_sessions.hpp"

struct ssl_ctx_st;
struct ssl_st;
struct x509_st;

namespace relayd::net {

// The library and its version, for `relayd version`: "BoringSSL API 17".
std::string tls_library();

// When the first certificate of a PEM file ends; nothing: it cannot be read. Blocks.
std::optional<WallTime> certificate_until(const std::string& file);

// A client's context for one policy, and the sessions that servers gave us under it. Connections share it.
class TlsClientContext {
 public:
  // Fails with a text that names the file: CA certificates, client certificate or key cannot be used.
  static Result<std::shared_ptr<TlsClientContext>> create(const async::TlsPolicy& policy);
  ~TlsClientContext();

  // Its files are still those that were read.
  bool current() const { return stamp() == stamp_; }

  const async::TlsPolicy& policy() const { return policy_; }
  TlsSessions& sessions() { return sessions_; }
  ssl_ctx_st* native() const { return context_; }

 private:
  TlsClientContext(async::TlsPolicy policy, ssl_ctx_st* context);
  // Each says what is wrong, or nothing.
  std::string load_authorities();
  std::string load_certificate();
  const std::string& authorities() const;  // the file
  std::string stamp() const;               // of the files: another one when one of them has changed

  async::TlsPolicy policy_;
  ssl_ctx_st* context_;
  std::string stamp_;
  TlsSessions sessions_;
};

// What a client's connection needs: its context, and whose sessions it may resume.
struct TlsClient {
  std::shared_ptr<TlsClientContext> context;  // null: none
  TlsPeer peer;
};

// A server's certificates; the one whose names fit the client's SNI is used (one that names it in full before
// one with a wildcard), else the first. Sessions are resumed by tickets whose keys are in memory only.
// Immutable.
class TlsServerContext {
 public:
  struct Files {
    std::string certificate;  // PEM, leaf first
    std::string key;          // PEM
  };
  // Fails with a text that names the file: unreadable, no certificate, key does not match.
  static Result<std::shared_ptr<TlsServerContext>> create(const std::vector<Files>& files);
  ~TlsServerContext();

  ssl_ctx_st* native() const { return contexts_.front(); }
  // When the first of its certificates ends; nothing: no date can be read.
  std::optional<WallTime> until() const;
  // The context whose certificate is for `name`, else null.
  ssl_ctx_st* for_name(const char* name) const;

 private:
  TlsServerContext() = default;
  std::string add(const Files& pair);  // what is wrong with it, or nothing

  std::vector<ssl_ctx_st*> contexts_;
  std::vector<x509_st*> leaves_;
};

class TlsEngine {
 public:
  explicit TlsEngine(TlsClient client);
  explicit TlsEngine(std::shared_ptr<TlsServerContext> context);
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;
  ~TlsEngine();

  enum class Step { done, needs_input, ended };

  // Records that arrived; they must stay valid until a call returned needs_input.
  void input(std::string_view records) { input_ = records; }
  // Records to be sent; the caller clears it.
  std::string& output() { return output_; }

  // Each may leave bytes in output(). Throws IoError{tls} with a text that a person can act on.
  Step handshake();
  // `ended`: the peer ended TLS; nothing more is ever read.
  std::pair<Step, std::size_t> read(std::span<char> clear);
  void write(std::string_view clear);
  void end();

  const async::TlsFacts& facts() const { return facts_; }
  std::optional<async::ChannelBinding> channel_binding() const;

 private:
  friend struct EngineBio;
  friend struct EngineCallbacks;
  void attach();
  [[noreturn]] void fail(const char* during);

  TlsClient client_;
  std::shared_ptr<TlsServerContext> server_;
  ssl_st* ssl_ = nullptr;
  std::string_view input_;
  std::string output_;
  async::TlsFacts facts_;
  std::string problem_;  // why the server's certificate was refused
  bool certificate_asked_ = false;
};

}  // namespace relayd::net
