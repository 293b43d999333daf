// Names, sizes and times, and at the end every parameter that no part has dealt with.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "import/context.hpp"
#include "import/destination.hpp"
#include "shared/config/yaml_text.hpp"

namespace relayd::importing {

namespace {

using config::yaml_quoted;

// Of Postfix's own processes, files and texts, or what relayd does always.
constexpr auto meaningless = std::to_array<std::string_view>({
    "alias_database",
    "allow_mail_to_commands",
    "allow_mail_to_files",
    "biff",
    "command_directory",
    "compatibility_level",
    "daemon_directory",
    "data_directory",
    "debug_peer_level",
    "debugger_command",
    "html_directory",
    "inet_protocols",
    "mail_name",
    "mail_owner",
    "mailbox_size_limit",
    "mailq_path",
    "manpage_directory",
    "meta_directory",
    "mydomain",
    "newaliases_path",
    "notify_classes",
    "queue_directory",
    "queue_run_delay",
    "readme_directory",
    "recipient_delimiter",
    "sample_directory",
    "sendmail_path",
    "setgid_group",
    "shlib_directory",
    "smtp_tls_loglevel",
    "smtp_tls_note_starttls_offer",
    "smtp_tls_session_cache_database",
    "smtpd_banner",
    "smtpd_helo_required",
    "smtpd_tls_auth_only",
    "smtpd_tls_loglevel",
    "smtpd_tls_received_header",
    "smtpd_tls_session_cache_database",
    "smtpd_use_tls",
    "unknown_local_recipient_reject_code",
    "smtp_sasl_security_options",
    "smtp_sasl_tls_security_options",
    "append_at_myorigin",
    "disable_vrfy_command",
    "smtp_sasl_type",
    "maillog_file",
    "local_recipient_maps",
    "myorigin_file",
});

void number(Context& context, std::string_view name, Section section, std::string_view key) {
  if (!context.is_set(name)) return;
  const std::string value = context.value(name);
  if (value.empty() || value == "0" || value.find_first_not_of("0123456789") != std::string::npos)
    return context.left(name, fmt::format("its value; see `limits.{}`", key));
  context.draft.add(section, fmt::format("{}: {}", key, value), context.place(name), std::string(name));
  context.carried(name, fmt::format("`limits.{}`", key));
}

void name(Context& context, std::string_view parameter, std::string_view key) {
  if (!context.is_set(parameter)) return;
  std::string value = context.value(parameter);
  if (value.starts_with('/')) {  // Debian's /etc/mailname
    const Result<std::string> text = context.maps.read(value);
    const std::vector<std::string> words = text ? words_of(*text) : std::vector<std::string>();
    if (words.empty()) return context.left(parameter, fmt::format("{} cannot be read; set `{}`", value, key));
    value = words.front();
  }
  if (value.empty()) return context.left(parameter, fmt::format("it is empty; set `{}`", key));
  context.draft.add(Section::top, fmt::format("{}: {}", key, yaml_quoted(value)), context.place(parameter),
                    std::string(parameter));
  context.carried(parameter, fmt::format("`{}`", key));
}

void lifetime(Context& context) {
  constexpr std::string_view parameter = "maximal_queue_lifetime";
  if (context.is_set(parameter)) {
    const std::optional<int> seconds = seconds_of(context.value(parameter), 'd');
    if (!seconds || *seconds == 0) return context.left(parameter, "its value; see `queue.lifetime`");
    context.draft.add(Section::queue, fmt::format("lifetime: {}s", *seconds), context.place(parameter),
                      std::string(parameter));
    context.carried(parameter, "`queue.lifetime`");
  }
  context.left("bounce_queue_lifetime", "reports wait as long as other mail: `queue.lifetime`");
}

}  // namespace

void import_rest(Context& context) {
  name(context, "myhostname", "hostname");
  name(context, "myorigin", "origin");
  number(context, "message_size_limit", Section::limits, "message_size");
  number(context, "smtpd_recipient_limit", Section::limits, "recipients");
  lifetime(context);
  for (const Setting& one : context.main.overruled())
    context.report.left({"main.cf", one.line}, one.name.empty() ? "a line that is no NAME = VALUE"
                                                                : one.name + ": a later line overrules it");
  for (const Setting& setting : context.main.settings()) {
    if (context.is_marked(setting.name)) continue;
    const bool is_default = setting.name == "append_dot_mydomain" && setting.value == "no";
    if (is_default || std::ranges::find(meaningless, setting.name) != meaningless.end()) {
      context.report.meaningless({"main.cf", setting.line}, setting.name);
      continue;
    }
    if (const Result<std::string> value = context.main.get(setting.name); !value) {
      context.report.left({"main.cf", setting.line},
                          fmt::format("{}: its value cannot be known: {}", setting.name, value.error()));
      continue;
    }
    const bool is_used = std::ranges::any_of(context.main.settings(), [&](const Setting& other) {
      return other.value.find("$" + setting.name) != std::string::npos ||
             other.value.find("${" + setting.name) != std::string::npos;
    });
    const bool empty = setting.value.empty();
    if (empty || (is_used && !setting.name.starts_with("smtp") && !setting.name.ends_with("_maps")))
      context.report.carried({"main.cf", setting.line},
                             setting.name + (empty ? ": it is empty" : ": where other lines name it"));
    else
      context.report.left(
          {"main.cf", setting.line},
          fmt::format("{}: not carried over; see what docs/postfix.md says of it", setting.name));
  }
}

}  // namespace relayd::importing
