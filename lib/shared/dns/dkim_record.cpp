#include "shared/dns/dkim_record.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/dns/tag_list.hpp"

namespace relayd::dns {

namespace {

// base64 may be folded (RFC 6376 3.6.1 with 2.10).
std::string unfolded(std::string_view text) {
  std::string result(text);
  std::erase_if(result, ascii::is_white_space);
  return result;
}

// Of values with ':' between them.
bool lists(std::string_view values, std::initializer_list<std::string_view> wanted) {
  while (!values.empty()) {
    const std::size_t end = std::min(values.find(':'), values.size());
    const std::string_view value = ascii::trimmed(values.substr(0, end), ascii::white_space);
    if (std::ranges::find(wanted, value) != wanted.end()) return true;
    values.remove_prefix(std::min(end + 1, values.size()));
  }
  return false;
}

// What of the record keeps the key's signatures from being verified; empty: nothing.
std::string fault_of(const Tags& tags, const DkimKey& key) {
  if (const auto version = find(tags, "v"); version && (*version != "DKIM1" || tags.front().name != "v"))
    return fmt::format("'v={}' must be 'v=DKIM1', and stand first", *version);
  const std::string_view type = find(tags, "k").value_or("rsa");
  if (type != key.type) return fmt::format("it is for a key of type '{}', ours is '{}'", type, key.type);
  const auto public_key = find(tags, "p");
  if (!public_key) return "the tag 'p=' is missing";
  if (public_key->empty())
    return "'p=' is empty: the key is revoked; sign with another one, or put the record back";
  if (unfolded(*public_key) != key.public_key)
    return "it is that of another key: publish ours, or sign with the key that belongs to it";
  if (const auto hashes = find(tags, "h"); hashes && !lists(*hashes, {"sha256"}))
    return fmt::format("'h={}' leaves sha256 out, with which we sign", *hashes);
  if (const auto services = find(tags, "s"); services && !lists(*services, {"*", "email"}))
    return fmt::format("'s={}' leaves mail out", *services);
  return {};
}

}  // namespace

std::string dkim_record(const DkimKey& key) {
  return fmt::format("v=DKIM1; k={}; p={}", key.type, key.public_key);
}

std::vector<Finding> check_dkim(const DkimKey& key, const Answer& answer) {
  const std::string name = dkim_name(key.selector, key.domain);
  const auto finding = [&name](State state, std::string text, std::string needed = {}) {
    return Finding{state, Record::dkim, name, std::move(text), std::move(needed)};
  };
  if (answer.kind == Answer::Kind::failed) return {finding(State::unknown, answer.problem)};
  if (answer.texts.empty())
    return {
        finding(State::wrong, "there is no record: nobody can verify what this key signs", dkim_record(key))};
  if (answer.texts.size() > 1)
    return {finding(State::wrong,
                    fmt::format("there are {} TXT records, and only one may be", answer.texts.size()),
                    dkim_record(key))};
  const Result<Tags> tags = parse_tags(answer.texts.front());
  const std::string fault = tags ? fault_of(*tags, key) : "the record is broken: " + tags.error();
  if (!fault.empty()) return {finding(State::wrong, fault, dkim_record(key))};
  std::vector<Finding> findings = {finding(State::ok, "the record is that of our key")};
  if (lists(find(*tags, "t").value_or(""), {"y"}))
    findings.push_back(finding(State::note,
                               "'t=y' calls it a test: receivers may treat signed mail as if it were not "
                               "signed; take it out when all is well"));
  return findings;
}

}  // namespace relayd::dns
