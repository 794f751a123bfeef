"""What a file is, told by its first bytes alone."""

import pytest

from conversations.attachments.kinds import LONGEST_NAME, as_text, clean_name, kind_of, named_as, text_type
from tests.support.files import HTML, SVG, pdf, picture


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_is_one_whatever_it_is_called(kind: str) -> None:
    assert kind_of(picture(kind)) == "image"


def test_a_pdf_may_have_something_in_front_of_it() -> None:
    assert kind_of(pdf("Hello")) == kind_of(b"%PDF-1.7\n1 0 obj") == "pdf"
    assert kind_of(b"\xff\xfe\x00scanner" + pdf("Hello")) == "pdf"


def test_a_text_that_speaks_of_a_pdf_is_a_text() -> None:
    assert kind_of(b"A file that begins with %PDF-1.7 is one.") == "text"
    assert kind_of("Ein Stück %PDF-1.7 ä".encode() * 40) == "text"


@pytest.mark.parametrize("data", [SVG, HTML, b"RIFF\x00\x00\x00\x00WAVE", b"BM\x00", b"\x00\x00\x01\x00", b"%!PS"])
def test_nothing_else_is_a_picture(data: bytes) -> None:
    assert kind_of(data) == "text"


def test_text_is_utf_8_or_utf_16_with_its_mark() -> None:
    assert as_text("grüße".encode()) == "grüße"
    assert as_text("\ufeffgrüße".encode()) == "grüße"
    assert as_text("grüße".encode("utf-16")) == "grüße"
    assert as_text(b"\xfe\xff" + "grüße".encode("utf-16-be")) == "grüße"


@pytest.mark.parametrize(
    "data", [b"\x00", b"a\x00b", b"gr\xfc\xdfe", b"\xff\xfe\x00", b"\xff\xfea\x00\x00\x00", b"\x80"]
)
def test_what_is_no_text_is_none(data: bytes) -> None:
    assert as_text(data) is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\notes.md", "notes.md"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("a\nb\x00c.txt", "a bc.txt"),
        ("  .  ", "file"),
        ("", "file"),
        (".env", "env"),
    ],
)
def test_a_name_hides_nothing_and_leads_nowhere(name: str, shown: str) -> None:
    assert clean_name(name) == shown


def test_a_long_name_keeps_its_ending() -> None:
    short = clean_name("a" * 500 + ".csv")
    assert (len(short), short[-4:]) == (LONGEST_NAME, ".csv")
    assert len(clean_name("a" * 500)) == LONGEST_NAME


def test_a_picture_is_named_as_what_it_has_become() -> None:
    assert named_as("cat.gif", "image/png") == "cat.png"
    assert named_as("cat.png", "image/png") == "cat.png"
    assert named_as("cat.JPEG", "image/jpeg") == "cat.JPEG"
    assert named_as("cat", "image/jpeg") == "cat.jpg"
    assert named_as("v1.2 of my screenshot", "image/png") == "v1.2 of my screenshot.png"


def test_the_name_of_a_text_says_what_kind_of_text_it_is_and_never_that_it_is_active() -> None:
    assert text_type("a.md") == "text/markdown"
    assert text_type("a.CSV") == "text/csv"
    assert text_type("a.json") == "application/json"
    assert {text_type(f"a.{ending}") for ending in ("html", "svg", "xhtml", "js", "")} == {"text/plain"}
