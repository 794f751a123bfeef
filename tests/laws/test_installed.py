"""What the system is told of the installed page is so: its icons have their sizes, its colours are the page's."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.environment import ROOT

PLACE = ROOT / "conversations/static/conversations"
MANIFEST: dict[str, Any] = json.loads((PLACE / "app.webmanifest").read_text())
PNG = [icon for icon in MANIFEST["icons"] if icon["type"] == "image/png"]


@pytest.mark.parametrize("icon", PNG, ids=lambda icon: Path(icon["src"]).stem)
def test_an_icon_has_the_size_that_is_promised(icon: dict[str, str]) -> None:
    with Image.open(PLACE / icon["src"]) as picture:
        assert f"{picture.width}x{picture.height}" == icon["sizes"]


def test_there_is_an_icon_for_every_shape_and_for_iphones() -> None:
    assert {icon["purpose"] for icon in PNG} == {"any", "maskable"}
    base = (ROOT / "templates/base.html").read_text()
    (address,) = re.findall(r"rel=\"apple-touch-icon\" href=\"{% static 'conversations/(.*?)' %}", base)
    with Image.open(PLACE / address) as picture:
        assert picture.size == (180, 180)


def test_what_is_cut_to_any_shape_is_filled_to_its_edges() -> None:
    (masked,) = (icon for icon in PNG if icon["purpose"] == "maskable")
    with Image.open(PLACE / masked["src"]) as picture:
        corners = {picture.convert("RGBA").getpixel(place) for place in ((0, 0), (511, 0), (0, 511), (511, 511))}
    assert corners == {(0x14, 0x63, 0x4C, 255)}


def test_its_colours_are_the_page_s() -> None:
    tokens = dict(re.findall(r"--(\w+): light-dark\((#\w+),", (PLACE / "css/tokens.css").read_text()))
    assert (MANIFEST["background_color"], MANIFEST["theme_color"]) == (tokens["paper"], tokens["accent"])
