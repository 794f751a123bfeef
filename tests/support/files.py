"""Files as people send them, and the odd ones that nobody should be able to hurt anybody with."""

import struct
import zlib
from io import BytesIO
from typing import Any

from PIL import Image
from pypdf import PdfWriter

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 30), mode: str = "RGB", **how: Any) -> bytes:
    written = BytesIO()
    Image.new(mode, size, how.pop("colour", None) or 0).save(written, kind, **how)
    return written.getvalue()


def photograph_with_a_place(size: tuple[int, int] = (60, 40)) -> bytes:
    """A JPEG that lies on its side, with the name of who took it and where."""
    image = Image.new("RGB", size, "red")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it clockwise to see it upright
    exif[0x013B] = "Ada Lovelace"
    exif[0x8825] = {1: "N", 2: (51.0, 30.0, 26.0)}
    written = BytesIO()
    image.save(written, "JPEG", exif=exif, comment=b"secret place")
    return written.getvalue()


def animation(frames: int = 3) -> bytes:
    first, *others = (Image.new("RGB", (20, 20), (80 * n, 0, 0)) for n in range(frames))
    written = BytesIO()
    first.save(written, "GIF", save_all=True, append_images=others)
    return written.getvalue()


def pixel_bomb(width: int = 100_000, height: int = 100_000) -> bytes:
    """A PNG of a few hundred bytes whose head says how large it will be."""
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(bytes(1000)))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pdf(*pages: str, password: str = "", stream: bytes | None = None) -> bytes:
    """A PDF whose pages say this. ``stream``: what the last page's content is instead."""
    writer = PdfWriter()
    for text in pages:
        page = writer.add_blank_page(width=300, height=300)
        _write(writer, page, f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET".encode() if text else b"")
    if stream is not None:
        _write(writer, writer.pages[-1], stream)
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    written = BytesIO()
    writer.write(written)
    return written.getvalue()


def _write(writer: PdfWriter, page: Any, content: bytes) -> None:
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject  # noqa: PLC0415

    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    fonts = DictionaryObject({NameObject("/F1"): writer._add_object(font)})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    stream = DecodedStreamObject()
    stream.set_data(content)
    page[NameObject("/Contents")] = writer._add_object(stream.flate_encode())


def stream_bomb(megabytes: int = 200) -> bytes:
    """A PDF of some hundred kilobytes whose one page unpacks to this much."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b"(" * 1_000_000) for _ in range(megabytes)) + packer.flush()
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(packed), packed),
    ]
    return _file_of(parts)


def nested(depth: int = 100_000) -> bytes:
    """A PDF in which arrays stand in arrays."""
    deep = b"[" * depth + b"]" * depth
    return _file_of([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids %s /Count 1 >>" % deep])


def _file_of(parts: list[bytes]) -> bytes:
    body, places = b"%PDF-1.7\n", []
    for number, part in enumerate(parts, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1)
    end = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(parts) + 1, len(body))
    return body + head + table + end


def form(
    data: bytes, name: str = "file.bin", *, field: str = "file", type: str = "application/octet-stream"
) -> tuple[bytes, str]:
    """A multipart body with one file, and its content type."""
    edge = "edge-of-the-form"
    head = (
        f'--{edge}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\nContent-Type: {type}\r\n\r\n'
    )
    return head.encode() + data + f"\r\n--{edge}--\r\n".encode(), f"multipart/form-data; boundary={edge}"
