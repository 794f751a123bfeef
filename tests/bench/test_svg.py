import xml.etree.ElementTree as ElementTree

import pytest

from tests.bench.svg import Chart

SVG = "{http://www.w3.org/2000/svg}"


def drawn(**lines: list[tuple[float, float]]) -> ElementTree.Element:
    return ElementTree.fromstring(Chart(title="Cost & more", x="streams", y="µs", lines=lines).svg())


def points(chart: ElementTree.Element, place: int) -> list[tuple[float, float]]:
    line = chart.findall(f"{SVG}polyline")[place]
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in line.attrib["points"].split())]


def texts(chart: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in chart.iter(f"{SVG}text")]


def test_more_is_higher_and_further_right() -> None:
    ((x1, y1), (x2, y2)) = points(drawn(server=[(1, 10.0), (2, 20.0)]), 0)
    assert x2 > x1
    assert y2 < y1


def test_nothing_lies_on_the_ground_and_twice_as_much_twice_as_high() -> None:
    heights = [y for _, y in points(drawn(server=[(1, 0.0), (2, 10.0), (3, 20.0)]), 0)]
    assert heights[0] - heights[2] == pytest.approx(2 * (heights[0] - heights[1]), abs=0.2)


@pytest.mark.parametrize(("across", "even"), [([1, 2, 3], True), ([10, 100, 1000], True), ([1, 2, 4], False)])
def test_what_spans_much_is_drawn_by_its_logarithm(across: list[float], even: bool) -> None:
    first, second, third = (x for x, _ in points(drawn(server=[(x, 1.0) for x in across]), 0))
    assert (abs((second - first) - (third - second)) < 0.2) is even


def test_every_line_has_its_name_and_every_point_its_value() -> None:
    chart = drawn(server=[(1, 12.3), (2, 45.6)], relay=[(1, 7.89)])
    assert {"Cost & more", "server", "relay", "12.3", "45.6", "7.89", "1", "2"} <= set(texts(chart))


def test_lines_are_told_apart_without_colours() -> None:
    chart = drawn(server=[(1, 1.0)], relay=[(1, 2.0)])
    first, second = (line.attrib["stroke-dasharray"] for line in chart.findall(f"{SVG}polyline"))
    assert first != second


def test_all_points_lie_on_the_picture() -> None:
    _, _, width, height = (float(each) for each in drawn(a=[(1, 1.0)]).attrib["viewBox"].split())
    chart = drawn(server=[(10, 0.0), (500, 123_456.0)], relay=[(10, 0.001), (500, 1.0)])
    assert all(0 < x < width and 0 < y < height for place in (0, 1) for x, y in points(chart, place))


def test_no_value_stands_on_another() -> None:
    chart = drawn(**{f"line {number}": [(1, 10.0 + number / 100)] for number in range(8)})
    places = [float(each.attrib["y"]) for each in chart.iter(f"{SVG}text") if each.attrib["class"] == "value"]
    assert 1 < len(places) < 8
    assert all(abs(one - other) > 10 for at, one in enumerate(places) for other in places[:at])
    assert len(list(chart.iter(f"{SVG}title"))) == 8
