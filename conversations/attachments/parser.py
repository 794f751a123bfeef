"""The program that takes a stranger's file apart, in a process of its own that has next to nothing to lose.

    python -I parser.py image|pdf SOURCE TARGET MEMORY SECONDS

Writes what is kept to TARGET and says what it found as one line of JSON. It is started by ``sandbox.py`` and imports
nothing of ours: whatever a library can be talked into, happens here, within these limits, and once.
"""

import json
import resource
import sys
import time
from io import BytesIO
from pathlib import Path
from typing import Any

MAX_PIXELS = 50_000_000  # a good camera has 48 million; of four bytes each that is 200 MB
MAX_RATIO = 100  # of the sides: what is longer would be a line at the size a model sees
MAX_SIDE = 2048  # models look at pictures in less than that
MAX_PNG = 2 * 1024 * 1024  # bytes: beyond it a picture is a photograph
QUALITY = 88
MAX_PAGES = 1_000
MAX_TEXT = 2_000_000  # characters: more than any model's window has room for
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")


class Refused(Exception):
    """With the word that ``sandbox.py`` has a sentence for."""


def main(what: str, source: str, target: str, memory: str, seconds: str) -> None:
    bound(memory=int(memory), seconds=int(seconds))
    work = {"image": image, "pdf": pdf}[what]
    try:
        found = work(source, Path(target), seconds=int(seconds))
    except Refused as refusal:
        found = {"refused": str(refusal)}
    except (MemoryError, RecursionError):
        found = {"refused": "too_complex"}
    except Exception as fault:  # a library's, over a file that is made to bring one about
        found = {"refused": "damaged", "fault": type(fault).__name__}
    print(json.dumps(found))  # noqa: T201  this is its answer


def bound(*, memory: int, seconds: int) -> None:
    """From here on the process can neither grow, nor run on, nor start another one, nor fill the disk."""
    limits = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: 64 * 1024 * 1024,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
    }
    for limit, most in limits.items():
        resource.setrlimit(limit, (most, most))


def image(source: str, target: Path, *, seconds: int) -> dict[str, Any]:
    """The picture drawn anew, upright and at most ``MAX_SIDE`` long: of the file that came nothing else is kept."""
    from PIL import Image, ImageOps  # noqa: PLC0415  after the limits

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        opened = Image.open(source, formats=FORMATS)
    except Image.DecompressionBombError:
        raise Refused("too_many_pixels") from None
    with opened:
        width, height = opened.size
        if width * height > MAX_PIXELS:
            raise Refused("too_many_pixels")
        if max(width, height) > MAX_RATIO * min(width, height):
            raise Refused("too_long")
        lossless = opened.format in ("PNG", "GIF")
        # A large JPEG is decoded at a half or a quarter of its size at once. Of several frames the first is shown.
        opened.draft(None, (MAX_SIDE, MAX_SIDE))
        picture = ImageOps.exif_transpose(opened)
        colours = opened.info.get("icc_profile")
    picture = _in_plain_colours(picture, colours)
    picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    data, type = _encoded(picture, lossless=lossless)
    target.write_bytes(data)
    return {"type": type, "width": picture.width, "height": picture.height}


def _in_plain_colours(picture: Any, profile: bytes | None) -> Any:
    """Red, green and blue as every screen shows them, with transparency where there is some."""
    from PIL import ImageCms  # noqa: PLC0415

    if picture.mode.startswith(("I;16", "I", "F")):  # sixteen bits of grey: by their upper eight
        picture = picture.convert("I").point(lambda grey: grey / 256).convert("L")
    if profile and picture.mode in ("RGB", "CMYK", "L"):
        try:
            given = ImageCms.ImageCmsProfile(BytesIO(profile))
            picture = ImageCms.profileToProfile(picture, given, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a profile that cannot be read is none
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    lowest, _ = picture.getchannel("A").getextrema()
    return picture if lowest < 255 else picture.convert("RGB")


def _encoded(picture: Any, *, lossless: bool) -> tuple[bytes, str]:
    """PNG and JPEG: what every model server reads."""
    picture.info.clear()  # or the comment of a JPEG and the profile would be written again
    see_through = picture.mode == "RGBA"
    if lossless or see_through:
        written = BytesIO()
        picture.save(written, "PNG", optimize=False)
        if written.tell() <= MAX_PNG:
            return written.getvalue(), "image/png"
    if see_through:  # a photograph with holes: on white, as a page shows it
        white = picture.copy()
        white.paste("white", (0, 0, *picture.size))
        white.alpha_composite(picture)
        picture = white.convert("RGB")
    written = BytesIO()
    picture.save(written, "JPEG", quality=QUALITY)
    return written.getvalue(), "image/jpeg"


def pdf(source: str, target: Path, *, seconds: int) -> dict[str, Any]:
    """The text of its pages, as far as there is time and room."""
    from pypdf import PdfReader  # noqa: PLC0415
    from pypdf.errors import FileNotDecryptedError  # noqa: PLC0415

    try:
        reader = PdfReader(source, strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise Refused("locked")
        pages = len(reader.pages)
    except FileNotDecryptedError:
        raise Refused("locked") from None
    texts: list[str] = []
    length, cut = 0, False
    for number in range(pages):
        if number >= MAX_PAGES or length >= MAX_TEXT or time.process_time() > seconds * 0.7:
            cut = True
            break
        try:
            text = reader.pages[number].extract_text().replace("\x00", "").strip()
        except Exception:  # one page that cannot be read does not hide the others
            cut = True
            continue
        if text:
            texts.append(text)
            length += len(text) + 2
    whole = "\n\n".join(texts).encode("utf-8", "replace").decode()
    if not whole:
        raise Refused("damaged" if cut else "no_text")
    target.write_text(whole[:MAX_TEXT], encoding="utf-8")
    return {"pages": pages, "characters": min(len(whole), MAX_TEXT), "cut": cut or len(whole) > MAX_TEXT}


if __name__ == "__main__":
    main(*sys.argv[1:])
