"""Small figures as SVG in the page's own colours: a curve over steps, points with names.

No plotting library: the web process stays light, and light and dark come from the style sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.tabs.markup import Markup, el

WIDTH, HEIGHT = 640.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 12.0, 12.0, 34.0
MOST_POINTS = 240

Point = tuple[float, float]


@dataclass(frozen=True)
class Frame:
    """From data to the drawing's coordinates."""

    low: Point
    high: Point

    @classmethod
    def around(cls, points: Sequence[Point], margin: float) -> Frame:
        """A frame that leaves this share of the spread free on each side."""
        (left, right), (bottom, top) = (_span(v, margin) for v in zip(*points, strict=True))
        return cls((left, bottom), (right, top))

    def place(self, point: Point) -> Point:
        x, y = (
            (value - low) / (high - low)
            for value, low, high in zip(point, self.low, self.high, strict=True)
        )
        return LEFT + x * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM)


def curve(
    points: Sequence[Point], title: str, across: str, mark: tuple[float, str] | None = None
) -> Markup:
    """A noisy curve, thin, with its running mean, bold; `mark` is a named moment."""
    points = _thinned(points)
    frame = Frame.around(points, margin=0.0)
    lines = [
        el("polyline", points=_path(frame, points), class_="raw"),
        el("polyline", points=_path(frame, _smoothed(points)), class_="mean"),
    ]
    moment = [_moment(frame, *mark)] if mark else []
    return _figure(frame, title, across, [*moment, *lines])


def named_points(points: Sequence[tuple[Point, str, bool]], title: str, across: str) -> Markup:
    """Points with names, joined in their order; the flagged one stands out."""
    frame = Frame.around([point for point, _, _ in points], margin=0.18)
    drawn = [el("polyline", points=_path(frame, [p for p, _, _ in points]), class_="raw")]
    for point, name, best in points:
        x, y = frame.place(point)
        drawn.append(el("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=6 if best else 4,
                        class_="best" if best else "point"))  # fmt: skip
        drawn.append(el("text", name, x=f"{x + 9:.1f}", y=f"{y + 4:.1f}"))
    return _figure(frame, title, across, drawn)


def progress(share: float | None, label: str) -> Markup:
    """A bar; without a share it says that something goes on, not how far."""
    width = None if share is None else f"width:{100 * min(1.0, share):.1f}%"
    percent = None if share is None else round(100 * min(1.0, share))
    return el("div", el("div", style=width), class_="bar" if width else "bar unknown",
              role="progressbar", aria_label=label, aria_valuemin=0, aria_valuemax=100,
              aria_valuenow=percent)  # fmt: skip


def _figure(frame: Frame, title: str, across: str, drawn: Sequence[Markup]) -> Markup:
    svg = el("svg", *_axes(frame), *drawn, viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}", role="img",
             aria_label=title)  # fmt: skip
    return el("figure", el("figcaption", title, el("span", across)), svg, class_="figure")


def _axes(frame: Frame) -> list[Markup]:
    middle = tuple((low + high) / 2 for low, high in zip(frame.low, frame.high, strict=True))
    whole = frame.low[0].is_integer() and frame.high[0].is_integer()  # steps, not scores
    marks = []
    for value in (frame.low[1], middle[1], frame.high[1]):
        _, y = frame.place((frame.low[0], value))
        marks.append(el("line", x1=LEFT, x2=WIDTH - RIGHT, y1=f"{y:.1f}", y2=f"{y:.1f}"))
        marks.append(el("text", f"{value:.3g}", x=LEFT - 8, y=f"{y + 4:.1f}", text_anchor="end"))
    for value, anchor in zip(
        (frame.low[0], middle[0], frame.high[0]), ("start", "middle", "end"), strict=True
    ):
        x, _ = frame.place((value, frame.low[1]))
        shown = round(value) if whole else value
        marks.append(el("text", f"{shown:.4g}", x=f"{x:.1f}", y=HEIGHT - 12, text_anchor=anchor))
    return marks


def _moment(frame: Frame, at: float, name: str) -> Markup:
    x, _ = frame.place((at, frame.low[1]))
    line = el("line", x1=f"{x:.1f}", x2=f"{x:.1f}", y1=TOP, y2=HEIGHT - BOTTOM, class_="moment")
    return el("g", line, el("text", name, x=f"{x + 6:.1f}", y=TOP + 10, class_="moment"))


def _path(frame: Frame, points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in map(frame.place, points))


def _span(values: Sequence[float], margin: float) -> tuple[float, float]:
    """Never empty: equal values stand in the middle."""
    low, high = min(values), max(values)
    air = margin * (high - low) if high > low else abs(high) / 2 or 1.0
    return low - air, high + air


def _thinned(points: Sequence[Point]) -> list[Point]:
    stride = -(-len(points) // MOST_POINTS)
    return [*points[::stride][:-1], points[-1]]


def _smoothed(points: Sequence[Point], weight: float = 0.9) -> list[Point]:
    """Exponential running mean, without the pull of its start."""
    mean, norm, found = 0.0, 0.0, []
    for x, y in points:
        mean, norm = weight * mean + (1 - weight) * y, weight * norm + (1 - weight)
        found.append((x, mean / norm))
    return found
