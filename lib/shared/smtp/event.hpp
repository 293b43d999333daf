// Event: what a client's dialogue met: a reply, or what happened instead of one.
//
// Reported by send, judged by settle, told by tell. A plain value.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "shared/smtp/reply.hpp"
#include "shared/smtp/stage.hpp"

namespace relayd::smtp {

struct Event {
  Event(Stage where, Reply said) : stage(where), reply(std::move(said)) {}
  Event(Stage where, Trouble what, std::string why) : stage(where), trouble(what), text(std::move(why)) {}

  Stage stage;
  std::optional<Trouble> trouble;  // none: `reply` holds
  Reply reply;
  std::string text;             // of the trouble, for the operator
  std::chrono::seconds wait{};  // of the trouble: how long it is to be waited; 0: nobody says
};

struct RecipientEvent {
  std::uint32_t recipient = 0;  // index into the envelope's recipients
  Event event;
};

// What a person reads of it, in one escaped line of at most 512 octets: the reply without and with its code,
// or the text of the trouble.
inline std::string enhanced_text(const Event& event) {
  return event.trouble ? escape(event.text) : enhanced_text(event.reply);
}
inline std::string one_line(const Event& event) {
  return event.trouble ? escape(event.text) : one_line(event.reply);
}
// The code of the reply; 0: there was none.
inline int code_of(const Event& event) {
  return event.trouble ? 0 : event.reply.code;
}

}  // namespace relayd::smtp
