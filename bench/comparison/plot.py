"""Plots as SVG, written by hand: panels side by side, logarithmic axes, colours for light and dark backgrounds."""

import math
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 440, 300  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 62, 18, 46, 44  # around its axes
COLOURS = ("#3b82f6", "#e8750a", "#8b8b8b")
GREY, LINE = "#808080", "#80808055"


@dataclass
class Panel:
    title: str
    grows: str  # what x counts
    series: dict[str, list[tuple[float, float]]]  # by name: points (x, y), both at least 0


def svg(panels: list[Panel]) -> str:
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * len(panels)} {HEIGHT}" '
             f'font-family="sans-serif" font-size="11" fill="{GREY}">']
    for number, panel in enumerate(panels):
        parts += [f'<g transform="translate({WIDTH * number} 0)">', *_panel(panel), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


class Axis:
    """A logarithmic scale over whole decades of `values`, drawn from `begin` to `end`. Zero stands one decade below
    the smallest other value."""

    def __init__(self, values: list[float], begin: float, end: float, tight: bool):
        positive = [value for value in values if value > 0]
        low, high = math.log10(min(positive)), math.log10(max(positive))
        self._zero = low - 1
        self.low = self._zero if 0 in values else low
        self.high = high
        if not tight:
            self.low, self.high = math.floor(self.low), math.ceil(self.high)
        if self.low == self.high:
            self.high += 1
        self._begin, self._end = begin, end

    def at(self, value: float) -> float:
        exponent = math.log10(value) if value > 0 else self._zero
        return self._begin + (self._end - self._begin) * (exponent - self.low) / (self.high - self.low)

    def decades(self) -> list[float]:
        return [10.0 ** exponent for exponent in range(math.ceil(self.low), math.floor(self.high) + 1)]


def _panel(panel: Panel) -> list[str]:
    points = [point for series in panel.series.values() for point in series]
    across = Axis([x for x, _ in points], LEFT, WIDTH - RIGHT, tight=True)
    up = Axis([y for _, y in points], HEIGHT - BOTTOM, TOP, tight=False)
    parts = [_text(LEFT, 16, panel.title, size=13), _text(WIDTH - RIGHT, HEIGHT - 8, panel.grows, anchor="end")]
    for y in up.decades():
        parts += [_line(LEFT, up.at(y), WIDTH - RIGHT, up.at(y)), _text(LEFT - 6, up.at(y) + 4, short(y), anchor="end")]
    for x in sorted({x for x, _ in points}):
        parts += [_line(across.at(x), HEIGHT - BOTTOM, across.at(x), TOP),
                  _text(across.at(x), HEIGHT - BOTTOM + 15, short(x), anchor="middle")]
    legend = LEFT
    for (name, series), colour in zip(panel.series.items(), COLOURS):
        parts += _series(series, across, up, colour)
        parts.append(_text(legend, 34, name, colour=colour))
        legend += 9 + 6.2 * len(name)
    return parts


def _series(series: list[tuple[float, float]], across: Axis, up: Axis, colour: str) -> list[str]:
    places = [(across.at(x), up.at(y)) for x, y in series]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
            *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places)]


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{LINE}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 11, colour: str = GREY) -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">'
            f"{escape(text)}</text>")


def short(value: float) -> str:
    """1000000 as 1M, 10240 as 10k, 0.5 as 0.5."""
    for unit, letter in ((1_000_000, "M"), (1000, "k")):
        if value >= unit:
            return f"{value / unit:.3g}{letter}"
    return f"{value:.3g}"
