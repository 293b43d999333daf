#include "shared/mail/a_label.hpp"

#include <algorithm>
#include <optional>

#include "shared/base/ascii.hpp"
#include "shared/mail/utf8.hpp"

namespace relayd::mail {

namespace {

constexpr std::size_t max_label = 63;

std::optional<std::u32string> code_points(std::string_view text) {
  std::u32string points;
  while (!text.empty()) {
    const std::optional<CodePoint> point = first_code_point(text);
    if (!point) return std::nullopt;
    points += point->value;
    text.remove_prefix(point->octets);
  }
  return points;
}

// RFC 3492 5; the names are its own.
constexpr char32_t base = 36, t_min = 1, t_max = 26, skew = 38, damp = 700, initial_bias = 72,
                   initial_n = 0x80;

char digit(char32_t value) {
  return static_cast<char>(value < 26 ? 'a' + value : '0' + (value - 26));
}

char32_t adapt(char32_t delta, char32_t points, bool first) {
  delta /= first ? damp : 2;
  delta += delta / points;
  char32_t k = 0;
  for (; delta > (base - t_min) * t_max / 2; k += base) delta /= base - t_min;
  return k + (base - t_min + 1) * delta / (delta + skew);
}

void append_number(std::string& out, char32_t number, char32_t bias) {
  for (char32_t k = base;; k += base) {
    const char32_t t = k <= bias ? t_min : std::min<char32_t>(k - bias, t_max);
    if (number < t) break;
    out += digit(t + (number - t) % (base - t));
    number = (number - t) / (base - t);
  }
  out += digit(number);
}

// RFC 3492 6.3. At most 63 code points, so that no number overflows.
std::string punycode(const std::u32string& points) {
  std::string out;
  for (const char32_t c : points)
    if (c < initial_n) out += static_cast<char>(c);
  const char32_t basic = static_cast<char32_t>(out.size());
  if (basic > 0) out += '-';
  char32_t n = initial_n, delta = 0, bias = initial_bias;
  for (char32_t done = basic; done < points.size();) {
    char32_t next = 0x110000;
    for (const char32_t c : points)
      if (c >= n) next = std::min(next, c);
    delta += (next - n) * (done + 1);
    n = next;
    for (const char32_t c : points) {
      if (c < n) ++delta;
      if (c != n) continue;
      append_number(out, delta, bias);
      bias = adapt(delta, done + 1, done == basic);
      delta = 0;
      ++done;
    }
    ++delta;
    ++n;
  }
  return out;
}

std::string a_label(std::string_view label) {
  const std::string folded = ascii::lower(label);
  if (ascii::all_ascii(folded)) return folded;
  const std::optional<std::u32string> points = code_points(folded);
  if (!points || points->size() > max_label) return folded;
  std::string encoded = "xn--" + punycode(*points);
  return encoded.size() <= max_label ? encoded : folded;
}

}  // namespace

std::string a_labels(std::string_view domain) {
  if (ascii::all_ascii(domain)) return ascii::lower(domain);
  std::string result;
  for (;;) {
    const std::size_t dot = domain.find('.');
    result += a_label(domain.substr(0, dot));
    if (dot == domain.npos) return result;
    result += '.';
    domain.remove_prefix(dot + 1);
  }
}

}  // namespace relayd::mail
