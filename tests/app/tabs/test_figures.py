"""Figures: points land where the axes say."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from app.tabs.figures import HEIGHT, WIDTH, Frame, curve, named_points, progress


def drawn(markup: str) -> ET.Element:
    """The drawing, parsed strictly: every element is closed."""
    found = re.search(r"<svg.*</svg>", markup, re.DOTALL)
    assert found
    return ET.fromstring(found.group())


def lines(figure: ET.Element, kind: str) -> list[tuple[float, float]]:
    (line,) = figure.findall(f".//polyline[@class='{kind}']")
    pairs = [point.split(",") for point in line.attrib["points"].split()]
    return [(float(x), float(y)) for x, y in pairs]


def test_steps_are_whole_where_they_are_written() -> None:
    figure = drawn(curve([(float(step), 0.5) for step in range(1, 201)], "Loss", "step"))
    assert [text.text for text in figure.findall(".//text")][-3:] == ["1", "100", "200"]


def test_a_falling_loss_falls_on_the_screen_and_stays_inside() -> None:
    points = [(float(step), 1.0 / (1 + step)) for step in range(50)]
    raw = lines(drawn(curve(points, "Loss", "step")), "raw")
    xs, ys = zip(*raw, strict=True)
    assert list(xs) == sorted(xs) and list(ys) == sorted(ys)
    assert 0 <= min(xs) and max(xs) <= WIDTH and 0 <= min(ys) and max(ys) <= HEIGHT


def test_a_long_curve_is_thinned_but_keeps_its_last_step() -> None:
    points = [(float(step), float(step)) for step in range(10_001)]
    figure = drawn(curve(points, "Loss", "step"))
    assert len(lines(figure, "raw")) < 300
    frame = Frame.around(points, margin=0.0)
    assert lines(figure, "raw")[-1] == pytest.approx(frame.place(points[-1]), abs=0.1)


def test_the_running_mean_of_a_constant_is_that_constant_from_the_start() -> None:
    figure = drawn(curve([(float(step), 3.0) for step in range(9)], "Loss", "step"))
    assert len({y for _, y in lines(figure, "mean")}) == 1


def test_the_best_point_stands_out_by_more_than_its_colour() -> None:
    figure = drawn(named_points([((1, 2), "a", False), ((2, 1), "<b>", True)], "t", "a"))
    radius = {c.attrib["class"]: float(c.attrib["r"]) for c in figure.findall(".//circle")}
    assert radius["best"] > radius["point"]
    assert "<b>" in [text.text for text in figure.findall(".//text")]


def test_progress_tells_a_screen_reader_how_far_or_that_nobody_knows() -> None:
    assert 'aria-valuenow="50"' in progress(0.5, "duck")
    assert "aria-valuenow" not in progress(None, "duck")
