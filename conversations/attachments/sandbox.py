"""Having a file taken apart by ``parser.py``: so much memory, so much time, and whatever happens there stays there."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import structlog

from streaming.protocol.errors import UnreadableFile

log = structlog.get_logger(__name__)
MEMORY = 1024 * 1024 * 1024  # bytes of address space: fifty million pixels in four bytes, with copies
CPU_SECONDS = 15
DEADLINE = 30.0  # seconds, on a machine that has other things to do
_PARSER = Path(__file__).with_name("parser.py")
_SENTENCES = {
    "too_many_pixels": "This picture has too many pixels. Make it smaller, at most 50 million, and attach it again.",
    "too_long": "This picture is too long and thin to be looked at. Cut it into pieces.",
    "locked": "This PDF is locked with a password. Save it without one, and attach it again.",
    "no_text": "This PDF has no text in it, perhaps because it was scanned. Attach its pages as pictures.",
    "too_complex": "This file is too complex to be read here.",
    "damaged": "This file is damaged, or it is not what it seems to be.",
}


def taken_apart(what: Literal["image", "pdf"], source: Path, target: Path) -> dict[str, Any]:
    """What ``parser.py`` says of the file, which has written to ``target`` what is kept of it. Blocks, for at most
    ``DEADLINE`` seconds. Raises UnreadableFile.
    """
    command = [sys.executable, "-I", "-B", "-X", "utf8", str(_PARSER), what, str(source), str(target)]
    try:
        done = subprocess.run(
            [*command, str(MEMORY), str(CPU_SECONDS)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=target.parent,
            env={},  # neither settings nor keys
            timeout=DEADLINE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _unreadable("too_complex", fault="deadline") from None
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:  # killed by one of its limits, before it could say so
        raise _unreadable("too_complex", fault=f"exit {done.returncode}") from None
    if "refused" in found:
        raise _unreadable(found["refused"], fault=found.get("fault", ""))
    return found


def _unreadable(reason: str, *, fault: str) -> UnreadableFile:
    log.info("a file could not be read", reason=reason, fault=fault)
    return UnreadableFile(_SENTENCES[reason], details={"reason": reason})
