#include "rewrite/control_fields.hpp"

#include <algorithm>

#include "rewrite/header_edit.hpp"
#include "shared/base/ascii.hpp"

namespace relayd::rewrite {

namespace {

using Form = mail::OwnField::Form;

bool is_word(std::string_view value) {
  return !value.starts_with('_') && std::ranges::all_of(value, [](char c) {
    return ascii::is_letter(c) || ascii::is_digit(c) || c == '-' || c == '_';
  });
}

bool fits(std::string_view value, const mail::OwnField& form) {
  if (value.empty() || value.size() > form.longest) return false;
  if (form.form == Form::word) return is_word(value);
  return std::ranges::all_of(
      value, [&form](char c) { return c >= ' ' && c <= '~' && (c != ',' || form.form == Form::json); });
}

// Of a value that fits.
std::string written(std::string_view value, const mail::OwnField& form) {
  std::string field(form.name);
  field.append(": ").append(form.before);
  for (const char c : value) {
    if (form.form == Form::json && (c == '"' || c == '\\')) field += '\\';
    field += c;
  }
  return field.append(form.after).append("\r\n");
}

// The body of a field in one line, without the blanks around it. A fold stays, so that the value does not
// fit.
std::string_view value_of(std::string_view body) {
  if (body.ends_with('\n')) body.remove_suffix(1);
  if (body.ends_with('\r')) body.remove_suffix(1);
  return ascii::trimmed(body, ascii::blanks);
}

class Orders {
 public:
  Orders(const std::vector<const mail::ControlFields*>& all, const mail::ControlFields* own, bool may_use)
      : all_(all), own_(own), may_use_(may_use) {}

  bool leaves(std::string_view name) const {
    return std::ranges::any_of(all_,
                               [name](const auto* provider) { return listed(*provider, name, false); }) &&
           !stays(name);
  }

  // One of the upstream's own that may be used.
  bool stays(std::string_view name) const { return own_ && listed(*own_, name, !may_use_); }

 private:
  static bool listed(const mail::ControlFields& provider, std::string_view name, bool harmless_only) {
    return std::ranges::any_of(provider.fields, [&](const mail::ControlField& field) {
      return (field.harmless || !harmless_only) && mail::field_name_fits(name, field.name);
    });
  }

  const std::vector<const mail::ControlFields*>& all_;
  const mail::ControlFields* own_;
  bool may_use_;
};

// A field of ours on its way to the provider's.
class OwnFieldWriter {
 public:
  OwnFieldWriter(std::string_view header, const mail::OwnField* form, const Orders& orders)
      : header_(header), form_(form), orders_(orders) {}

  // What stands in place of the field; empty: nothing.
  std::string write(const mail::Field& field) {
    if (!form_ || form_->name.empty() || done_) return {};
    const std::string_view value = value_of(field.body);
    if (!fits(value, *form_)) return {};
    done_ = true;  // one is enough: of most of these fields a second one would hide the first
    return given_already() ? std::string() : written(value, *form_);
  }

 private:
  bool given_already() const {
    if (!orders_.stays(form_->name)) return false;
    std::string_view rest = header_;
    for (mail::Field field; mail::next_field(rest, field);)
      if (field.is(form_->name)) return true;
    return false;
  }

  std::string_view header_;
  const mail::OwnField* form_;
  const Orders& orders_;
  bool done_ = false;
};

}  // namespace

std::optional<std::string> with_own_control_fields(std::string_view header,
                                                   const std::vector<const mail::ControlFields*>& all,
                                                   const mail::ControlFields* own, bool may_use) {
  const Orders orders(all, own, may_use);
  OwnFieldWriter tag(header, own ? &own->tag : nullptr, orders);
  OwnFieldWriter stream(header, own ? &own->stream : nullptr, orders);
  HeaderEdit edit(header);
  for (mail::Field field; edit.next(field);) {
    if (field.is("X-Relayd-Tag"))
      edit.replace(field.whole, tag.write(field));
    else if (field.is("X-Relayd-Stream"))
      edit.replace(field.whole, stream.write(field));
    else if (orders.leaves(field.name))
      edit.replace(field.whole, {});
  }
  return std::move(edit).take();
}

}  // namespace relayd::rewrite
