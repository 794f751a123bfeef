"""What is kept of a file: read in a process of its own, within limits."""

import time
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from conversations.attachments import sandbox
from conversations.attachments.intake import Taken, take
from streaming.protocol.errors import InvalidRequest, UnreadableFile, UnsupportedType
from tests.support import files


@pytest.fixture
def keep(tmp_path: Path):
    def kept(data: bytes, name: str = "sent") -> Taken:
        source = tmp_path / "source"
        source.write_bytes(data)
        return take(source, name=name, scratch=tmp_path)

    return kept


def shown(taken: Taken) -> Image.Image:
    return Image.open(BytesIO(taken.content.read_bytes()))


@pytest.mark.parametrize(
    ("data", "type"),
    [
        (files.picture("PNG"), "image/png"),
        (files.picture("GIF"), "image/png"),
        (files.picture("JPEG"), "image/jpeg"),
        (files.picture("WEBP"), "image/jpeg"),
        (files.picture("WEBP", mode="RGBA"), "image/png"),
        (files.picture("JPEG", mode="CMYK"), "image/jpeg"),
        (files.picture("PNG", mode="I;16"), "image/png"),
    ],
)
def test_a_picture_is_drawn_anew_as_png_or_jpeg(keep, data: bytes, type: str) -> None:
    taken = keep(data, "a picture.html")
    assert (taken.kind, taken.type, taken.width, taken.height) == ("image", type, 40, 30)
    assert shown(taken).format == type.removeprefix("image/").upper()
    assert taken.name.endswith((".png", ".jpg"))


def test_nothing_of_where_and_by_whom_a_photograph_was_taken_is_kept_and_it_stands_upright(keep) -> None:
    sent = files.photograph_with_a_place()
    assert b"Ada Lovelace" in sent
    assert Image.open(BytesIO(sent)).getexif().get_ifd(0x8825)
    taken = keep(sent)
    assert (taken.width, taken.height) == (40, 60)
    drawn = taken.content.read_bytes()
    assert b"Ada" not in drawn
    assert b"secret" not in drawn
    assert not shown(taken).getexif()


def test_what_is_hidden_behind_a_picture_is_gone(keep) -> None:
    taken = keep(files.picture("PNG") + files.HTML + b"PK\x03\x04")
    assert b"script" not in taken.content.read_bytes()


def test_a_large_picture_is_made_as_large_as_a_model_looks_at(keep) -> None:
    taken = keep(files.picture("JPEG", (5000, 2500)))
    assert (taken.width, taken.height) == (2048, 1024)


def test_a_photograph_with_holes_is_shown_on_white_where_it_would_be_too_large(keep) -> None:
    noise = Image.effect_noise((1400, 1400), 80)
    written = BytesIO()
    Image.merge("RGBA", (noise, noise, noise, Image.new("L", noise.size, 0))).save(written, "PNG")
    taken = keep(written.getvalue())
    assert taken.type == "image/jpeg"
    assert shown(taken).getpixel((700, 700)) == (255, 255, 255)


def test_of_an_animation_the_first_frame_is_kept(keep) -> None:
    taken = keep(files.animation())
    assert getattr(shown(taken), "n_frames", 1) == 1
    assert shown(taken).convert("RGB").getpixel((5, 5)) == (0, 0, 0)


def test_a_pdf_is_kept_with_the_text_of_its_pages(keep) -> None:
    taken = keep(files.pdf("One page", "and another"), "a.txt")
    assert (taken.kind, taken.type, taken.pages) == ("pdf", "application/pdf", 2)
    assert taken.text is not None
    assert taken.text.read_text() == "One page\n\nand another"
    assert taken.characters == len("One page\n\nand another")


@pytest.mark.parametrize("data", [files.SVG, files.HTML])
def test_what_could_be_active_is_text(keep, data: bytes) -> None:
    taken = keep(data, "picture.svg")
    assert (taken.kind, taken.type) == ("text", "text/plain")


def test_text_is_kept_as_utf_8_and_nothing_of_it_is_changed(keep) -> None:
    taken = keep("α\r\nβ\n".encode("utf-16"), "greek.csv")
    assert taken.content.read_bytes() == "α\r\nβ\n".encode()
    assert (taken.type, taken.characters) == ("text/csv", 5)


@pytest.mark.parametrize(
    "data", [b"PK\x03\x04\x00\x00", b"\x7fELF\x00", b"BM\x00\x00", b"ftypheic\x00\xff", b"gr\xfc\xdfe"]
)
def test_everything_else_is_refused_with_what_is_taken(keep, data: bytes) -> None:
    with pytest.raises(UnsupportedType) as refusal:
        keep(data, "notes.txt")
    assert refusal.value.details is not None
    assert "PDF" in refusal.value.details["taken"]


def test_an_empty_file_is_told_so(keep) -> None:
    with pytest.raises(InvalidRequest, match="empty"):
        keep(b"")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (files.pixel_bomb(), "too_many_pixels"),
        (files.pixel_bomb(20_000, 10), "too_long"),
        (files.pixel_bomb(3000, 3000), "damaged"),  # not one of its rows is there
        (files.picture("PNG")[:60], "damaged"),
        (files.picture("JPEG", (900, 900))[:700], "damaged"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 500, "damaged"),
        (files.pdf("Secret", password="word"), "locked"),
        (files.pdf(""), "no_text"),
        (b"%PDF-1.7\n", "damaged"),
        (files.pdf("Hello")[:200], "damaged"),
        (files.nested(), "damaged"),
    ],
)
def test_what_cannot_be_read_says_why(keep, data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableFile) as refusal:
        keep(data)
    assert refusal.value.details == {"reason": reason}


def test_a_page_that_unpacks_without_end_costs_its_own_process_and_no_other(keep) -> None:
    began = time.monotonic()
    with pytest.raises(UnreadableFile):
        keep(files.stream_bomb())
    assert time.monotonic() - began < sandbox.DEADLINE


def test_what_takes_too_long_is_ended(keep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "DEADLINE", 0.01)
    with pytest.raises(UnreadableFile, match="too complex"):
        keep(files.picture())


def test_what_needs_more_memory_than_it_may_have_is_ended(keep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "MEMORY", 120 * 1024 * 1024)
    with pytest.raises(UnreadableFile):
        keep(files.picture("PNG", (6000, 6000)))
