#include "watch/series.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "watch/answer.hpp"

namespace relayd::watch {

using nlohmann::json;
using Point = Series::Point;

namespace {

constexpr std::uint64_t short_in_long = Series::long_step / Series::short_step;

struct Counted {
  const char* name;
  std::uint64_t Point::*of;
};
constexpr Counted counts[] = {{"accepted", &Point::accepted},
                              {"delivered", &Point::delivered},
                              {"deferred", &Point::deferred},
                              {"failed", &Point::failed},
                              {"waiting", &Point::waiting}};

void add(Point& to, const Point& more) {
  to.accepted += more.accepted;
  to.delivered += more.delivered;
  to.deferred += more.deferred;
  to.failed += more.failed;
  to.waiting = more.waiting;
  to.seconds += more.seconds;
}

// To the millisecond.
json mean_seconds(const Point& point) {
  if (point.delivered == 0) return nullptr;
  return std::round(point.seconds / static_cast<double>(point.delivered) * 1000) / 1000;
}

void keep(Series::Points& points, const Point& point, std::size_t most) {
  points.push_back(point);
  if (points.size() > most) points.pop_front();
}

json describe(const Series::Points& points, Duration step, WallTime end) {
  json object = {{"step", std::chrono::duration_cast<std::chrono::seconds>(step).count()},
                 {"end", time_text(end)}};
  for (const Counted& one : counts) {
    json& values = object[one.name] = json::array();
    for (const Point& point : points) values.push_back(point.*one.of);
  }
  json& seconds = object["seconds"] = json::array();
  for (const Point& point : points) seconds.push_back(mean_seconds(point));
  return object;
}

}  // namespace

void Series::begin(SteadyTime now, const tell::Sums& counted) {
  end_ = now;
  counted_ = counted;
}

void Series::tick(SteadyTime now, const tell::Sums& counted, std::size_t waiting) {
  add(open_, {counted.accepted - counted_.accepted, counted.delivered - counted_.delivered,
              counted.deferred - counted_.deferred, counted.failed - counted_.failed, waiting,
              counted.queue_seconds - counted_.queue_seconds});
  counted_ = counted;
  // Of a longer time the first steps would be gone when the last one comes.
  const auto steps = (now - end_) / short_step;
  constexpr auto most = static_cast<std::int64_t>(of_a_day * short_in_long);
  if (steps > most) end_ += (steps - most) * short_step;
  while (now >= next()) end_step(waiting);
}

void Series::end_step(std::size_t waiting) {
  open_.waiting = waiting;
  keep(hour_, open_, of_an_hour);
  add(open_long_, open_);
  open_ = {};
  end_ += short_step;
  if (++count_ % short_in_long != 0) return;
  keep(day_, open_long_, of_a_day);
  open_long_ = {};
}

std::string Series::newest() const {
  if (hour_.empty()) return {};
  json object;
  for (const Counted& one : counts) object[one.name] = hour_.back().*one.of;
  object["seconds"] = mean_seconds(hour_.back());
  return object.dump();
}

std::string Series::to_json(SteadyTime now, WallTime wall) const {
  const WallTime end = wall - std::chrono::duration_cast<WallTime::duration>(now - end_);
  const WallTime end_of_long = end - std::chrono::duration_cast<WallTime::duration>(
                                         short_step * static_cast<int>(count_ % short_in_long));
  return json{{"hour", describe(hour_, short_step, end)}, {"day", describe(day_, long_step, end_of_long)}}
      .dump();
}

}  // namespace relayd::watch
