#include "route/control.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace relayd::route {
namespace {

const mail::ControlFields* of(const char* provider) {
  return &providers::find(provider)->control;
}

TEST(Control, AnUpstreamHasThatOfItsPreset) {
  Upstream upstream;
  upstream.preset = find_preset("mailgun");
  upstream.host = "smtp.sendgrid.net";
  EXPECT_EQ(control_fields_of(upstream), of("mailgun"));
}

TEST(Control, AnUpstreamWithoutAPresetHasThatOfItsHost) {
  Upstream upstream;
  upstream.host = "SMTP.postmarkapp.com";
  EXPECT_EQ(control_fields_of(upstream), of("postmark"));
  upstream.host = "email-smtp.eu-west-1.amazonaws.com";
  EXPECT_EQ(control_fields_of(upstream), of("ses"));
  for (const char* host :
       {"", "127.0.0.1", "postmarkapp.com", "smtp.notpostmarkapp.com", "smtp.example.net"}) {
    upstream.host = host;
    EXPECT_EQ(control_fields_of(upstream), nullptr) << host;
  }
}

TEST(Control, EveryProviderThatHasFieldsIsInTheList) {
  std::set<const mail::ControlFields*> listed(control_fields().begin(), control_fields().end());
  EXPECT_EQ(listed.size(), control_fields().size());
  for (const Provider& provider : providers::all())
    EXPECT_EQ(listed.contains(&provider.control), !provider.control.fields.empty()) << provider.name;
  EXPECT_GE(listed.size(), 10u);
}

TEST(Control, OurFieldsAreWrittenAsAFieldThatTheProviderActsOn) {
  for (const mail::ControlFields* const control : control_fields())
    for (const mail::OwnField& own : {control->tag, control->stream}) {
      const auto acts_on_it = [&own](const mail::ControlField& field) {
        return field.name == own.name || (field.name.ends_with('*') &&
                                          own.name.starts_with(field.name.substr(0, field.name.size() - 1)));
      };
      EXPECT_TRUE(own.name.empty() || std::ranges::any_of(control->fields, acts_on_it)) << own.name;
    }
}

}  // namespace
}  // namespace relayd::route
