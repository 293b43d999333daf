#include "rewrite/aliases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/mail/a_label.hpp"
#include "shared/mail/address.hpp"
#include "shared/mail/lookup_key.hpp"
#include "shared/smtp/xtext.hpp"

namespace relayd::rewrite {

namespace {

using mail::AddressFault;

std::string_view without_end_dot(std::string_view text) {
  return text.ends_with('.') ? text.substr(0, text.size() - 1) : text;
}

bool is_domain_alone(std::string_view text) {
  return text.size() > 1 && text.front() == '@' &&
         mail::check_address("x" + std::string(text), true) == AddressFault::none;
}

bool is_name_or_address(std::string_view text) {
  return mail::check_address(text, true) == AddressFault::none;
}

// NOTIFY (RFC 3461 4.1).
struct Wishes {
  bool given = true;  // otherwise the sender hears of failures, as is usual
  bool success = false;
  bool failure = false;
  bool delay = false;

  explicit Wishes(std::string_view notify)
      : given(!notify.empty()),
        success(notify.find("SUCCESS") != std::string_view::npos),
        failure(notify.find("FAILURE") != std::string_view::npos),
        delay(notify.find("DELAY") != std::string_view::npos) {}

  void add(const Wishes& other) {
    // Whoever did not say meant failures and delays; without SUCCESS in the other that is what it stays.
    if (!given || !other.given) {
      given = success || other.success;
      failure = delay = true;
    }
    success |= other.success;
    failure |= other.failure;
    delay |= other.delay;
  }

  std::string text() const {
    if (!given) return {};
    std::string words;
    const auto name = [&words](bool wanted, std::string_view word) {
      if (wanted) words += fmt::format("{}{}", words.empty() ? "" : ",", word);
    };
    name(success, "SUCCESS");
    name(failure, "FAILURE");
    name(delay, "DELAY");
    return words.empty() ? "NEVER" : words;
  }
};

}  // namespace

std::string fault_of_target(std::string_view target, bool for_domain) {
  if (target.starts_with('|') || target.starts_with('/') || target.starts_with("~/"))
    return fmt::format("'{}': relayd delivers to no program and no file", target);
  if (target.starts_with(":include:"))
    return fmt::format("'{}': lists are read from aliases_file only", target);
  const std::string_view name = target.starts_with('\\') ? target.substr(1) : target;
  if (is_domain_alone(name) && (for_domain || name.size() == target.size())) return {};
  if (is_name_or_address(name)) return {};
  return fmt::format("'{}' is no address, name or @domain", target);
}

// One recipient on its way to what it stands for. Depth first, so that targets come in the order of the
// configuration.
class Aliases::Expansion {
 public:
  Expansion(const Aliases& aliases, const OnStep& on_step) : aliases_(aliases), on_step_(on_step) {}

  bool add(std::string_view address, std::size_t depth, const std::string& outer) {
    if (depth > most) return false;
    if (!looked_up_.insert(mail::lookup_spelling(address)).second) return true;
    if (looked_up_.size() > most_steps) return false;
    const std::optional<Found> found = aliases_.find(address);
    if (!found) return keep(address, outer);
    if (on_step_) on_step_(address, found->alias, found->key);
    const std::vector<std::string>& targets =
        found->alias ? aliases_.aliases_[*found->alias].targets : found->of_table;
    if (targets.empty()) return false;
    const std::string own = aliases_.owner_of(*found);
    const std::string& owner = own.empty() ? outer : own;
    const std::string self = mail::lookup_spelling(address);
    for (const std::string& target : targets) {
      const bool is_final = target.starts_with('\\');
      const std::string becomes = aliases_.target_of(is_final ? std::string_view(target).substr(1) : target,
                                                     address, found->extension);
      const bool ends = is_final || mail::lookup_spelling(becomes) == self;
      if (!(ends ? keep(becomes, owner) : add(becomes, depth + 1, owner))) return false;
    }
    return true;
  }

  std::vector<Target> take() { return std::move(kept_); }

 private:
  bool keep(std::string_view address, const std::string& owner) {
    if (address.size() > longest_address) return false;
    if (!known_.insert(mail::lookup_spelling(address)).second) return true;
    kept_.push_back({std::string(address), owner});
    return kept_.size() <= most;
  }

  static constexpr std::size_t most_steps = 10 * most;
  static constexpr std::size_t longest_address = 64 + 1 + 255;  // RFC 5321 4.5.3.1

  const Aliases& aliases_;
  const OnStep& on_step_;
  std::unordered_set<std::string> looked_up_;  // lists may have lists in common, and lead to each other
  std::unordered_set<std::string> known_;
  std::vector<Target> kept_;
};

Aliases::Aliases(std::vector<Alias> aliases, std::vector<std::string> local_domains, Ask ask)
    : aliases_(std::move(aliases)),
      origin_(local_domains.empty() ? "" : local_domains.front()),
      ask_(std::move(ask)) {
  for (const std::string& domain : local_domains)
    local_domains_.push_back(mail::a_labels(without_end_dot(domain)));
  for (std::size_t i = 0; i < aliases_.size(); ++i) {
    const Alias& alias = aliases_[i];
    const bool is_domain = alias.name.starts_with('@');
    if (is_domain ? !is_domain_alone(alias.name) : !is_name_or_address(alias.name))
      faults_.push_back({i, fmt::format("'{}' is no name, address or @domain", alias.name)});
    if (alias.targets.empty()) faults_.push_back({i, fmt::format("'{}' stands for nobody", alias.name)});
    if (alias.targets.size() > most)
      faults_.push_back({i, fmt::format("'{}' has more than {} targets", alias.name, most)});
    for (const std::string& target : alias.targets)
      if (std::string fault = fault_of_target(target, is_domain); !fault.empty())
        faults_.push_back({i, std::move(fault)});
    const auto [first, is_new] = by_name_.emplace(mail::lookup_key(alias.name), i);
    if (!is_new) faults_.push_back({i, fmt::format("'{}' is there twice", alias.name), first->second});
  }
  if (faults_.empty()) find_circles();
}

bool Aliases::is_local(std::string_view folded_domain) const {
  return std::ranges::find(local_domains_, folded_domain) != local_domains_.end();
}

// By the key in its own case: only a table may care.
std::optional<Aliases::Found> Aliases::lookup(const std::string& key) const {
  const auto found = by_name_.find(ascii::lower(key));
  if (found != by_name_.end()) return Found{found->second, {}, {}, {}};
  if (!ask_) return std::nullopt;
  std::optional<std::vector<std::string>> targets = ask_(key);
  if (!targets) return std::nullopt;
  const auto is_faulty = [&key](const std::string& target) {
    return !fault_of_target(target, key.starts_with('@')).empty();
  };
  if (std::ranges::any_of(*targets, is_faulty)) targets->clear();
  return Found{{}, key, std::move(*targets), {}};
}

// In the order of virtual(5): the address, without its extension, the name, without its extension, the
// domain.
std::optional<Aliases::Found> Aliases::find(std::string_view address) const {
  if (empty()) return std::nullopt;
  const bool has_domain = !mail::split(address).domain.empty();
  const std::string spelling = mail::lookup_spelling(has_domain ? without_end_dot(address) : address);
  const auto [user, host] = mail::split(spelling);
  const std::size_t plus = user.starts_with('"') || user.starts_with('+') ? user.npos : user.find('+');
  const std::string name(user);
  const std::string plain = name.substr(0, plus);
  const std::string extension = plus == user.npos ? std::string() : name.substr(plus);
  const bool local = host.empty() || is_local(host);
  const std::string of_domain = fmt::format("@{}", host);
  struct Try {
    bool counts;
    std::string key;
    const std::string& dropped;
  };
  const std::string nothing;
  const Try tries[] = {{has_domain, spelling, nothing},
                       {has_domain && !extension.empty(), plain + of_domain, extension},
                       {local, name, nothing},
                       {local && !extension.empty(), plain, extension},
                       {has_domain, of_domain, nothing}};
  for (const auto& [counts, key, dropped] : tries) {
    std::optional<Found> found = counts ? lookup(key) : std::nullopt;
    if (!found) continue;
    found->extension = dropped;
    return found;
  }
  return std::nullopt;
}

// Whom mail to a list leaves from: "owner-NAME", where that is an alias; empty: it is no list. With a local
// domain it is one as with none.
std::string Aliases::owner_of(const Found& found) const {
  const std::string& list = found.alias ? aliases_[*found.alias].name : found.key;
  const auto [local_part, domain] = mail::split(list);
  if (local_part.empty() || local_part.starts_with('"')) return {};
  const std::string name = fmt::format("owner-{}", local_part);
  const bool local = domain.empty() || is_local(mail::a_labels(domain));
  const std::string whole = fmt::format("{}@{}", name, domain.empty() ? std::string_view(origin_) : domain);
  auto owner = by_name_.find(mail::lookup_key(whole));
  if (owner == by_name_.end() && local) owner = by_name_.find(mail::lookup_key(name));
  if (owner == by_name_.end()) return {};
  return mail::qualified(aliases_[owner->second].name, origin_);
}

// What a target means for this address: "@domain" keeps the local part, which has its extension still; a
// dropped one goes to every other.
std::string Aliases::target_of(std::string_view target, std::string_view address,
                               std::string_view extension) const {
  if (target.starts_with('@')) return fmt::format("{}{}", mail::split(address).local_part, target);
  const auto [local_part, domain] = mail::split(target);
  const std::string_view host = domain.empty() ? std::string_view(origin_) : domain;
  if (host.empty()) return std::string(target);
  const bool takes = !local_part.starts_with('"');
  return fmt::format("{}{}@{}", local_part, takes ? extension : std::string_view(), host);
}

// The aliases that its targets fall under. A target that falls under its own alias comes to an end there,
// unless it grows: "ann: ann+x".
std::vector<std::size_t> Aliases::next_of(std::size_t index) const {
  const Alias& alias = aliases_[index];
  std::vector<std::size_t> next;
  for (const std::string& target : alias.targets) {
    if (target.starts_with('\\')) continue;
    // An address of a domain that is an alias has some local part that is none.
    const std::string address = alias.name.starts_with('@') ? "\"\"" + alias.name : alias.name;
    const std::optional<Found> found = find(target_of(target, address, {}));
    if (!found || !found->alias) continue;  // a table is asked when mail comes
    if (*found->alias != index || !found->extension.empty()) next.push_back(*found->alias);
  }
  return next;
}

// Depth first, with a stack of its own: a chain may be as long as the configuration.
void Aliases::find_circles() {
  enum class Mark : char { fresh, under_way, done };
  std::vector<Mark> marks(aliases_.size(), Mark::fresh);
  struct Step {
    std::size_t alias;
    std::vector<std::size_t> next;
  };
  std::vector<Step> way;
  const auto enter = [&](std::size_t alias) {
    marks[alias] = Mark::under_way;
    way.push_back({alias, next_of(alias)});
  };
  for (std::size_t first = 0; first < aliases_.size(); ++first) {
    if (marks[first] == Mark::fresh) enter(first);
    while (!way.empty()) {
      Step& step = way.back();
      if (step.next.empty()) {
        marks[step.alias] = Mark::done;
        way.pop_back();
        continue;
      }
      const std::size_t next = step.next.back();
      step.next.pop_back();
      if (marks[next] == Mark::under_way)
        faults_.push_back(
            {step.alias,
             fmt::format("'{}' leads back to itself by '{}'", aliases_[next].name, aliases_[step.alias].name),
             next});
      else if (marks[next] == Mark::fresh)
        enter(next);
    }
  }
}

std::optional<std::vector<Aliases::Target>> Aliases::targets(std::string_view address,
                                                             const OnStep& on_step) const {
  Expansion expansion(*this, on_step);
  if (!expansion.add(address, 0, {})) return std::nullopt;
  std::vector<Target> targets = expansion.take();
  if (targets.empty()) return std::nullopt;  // it leads back to itself only
  return targets;
}

std::optional<std::vector<std::string>> Aliases::expand(std::string_view address,
                                                        const OnStep& on_step) const {
  std::optional<std::vector<Target>> found = targets(address, on_step);
  if (!found) return std::nullopt;
  std::vector<std::string> addresses;
  for (Target& target : *found) addresses.push_back(std::move(target.address));
  return addresses;
}

std::vector<mail::Recipient> stand_ins(const mail::Recipient& recipient,
                                       const std::vector<Aliases::Target>& targets) {
  Wishes wishes(recipient.notify);
  if (targets.size() > 1 && wishes.success) wishes.success = false;
  std::string original = recipient.original_recipient;
  if (original.empty())
    original = ascii::all_ascii(recipient.address) ? "rfc822;" + smtp::encode_xtext(recipient.address)
                                                   : "utf-8;" + smtp::encode_utf8_xtext(recipient.address);
  std::vector<mail::Recipient> result;
  for (const Aliases::Target& target : targets) {
    if (target.owner.empty())
      result.push_back({target.address, wishes.text(), original});
    else
      result.push_back({target.address, {}, {}, target.owner});
  }
  return result;
}

void unite(std::vector<mail::Recipient>& recipients) {
  std::unordered_map<std::string, std::size_t> kept;
  std::size_t count = 0;
  for (mail::Recipient& recipient : recipients) {
    const std::string key = fmt::format("{}\n{}", mail::lookup_spelling(recipient.address), recipient.owner);
    const auto [place, is_new] = kept.emplace(key, count);
    if (is_new) {
      if (&recipients[count] != &recipient) recipients[count] = std::move(recipient);
      ++count;
    } else {
      Wishes wishes(recipients[place->second].notify);
      wishes.add(Wishes(recipient.notify));
      recipients[place->second].notify = wishes.text();
    }
  }
  recipients.resize(count);
}

}  // namespace relayd::rewrite
