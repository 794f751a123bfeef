"""A program: put each fault into a copy of the tree, run the tests that must see it, and say which did not.

``python -m tests.sabotage [WORD …]``: those whose name has one of the words. Exit code 1 where one was not seen.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.sabotage.sabotages import ROOT, SABOTAGES, Sabotage

PASSED, SEEN = 0, 1  # what pytest says
# Shared with the copy: what is installed and built, and not tracked.
LINKED = (".venv", "node_modules", "conversations/static/vendor")


def copy_to(root: Path) -> None:
    """The tracked files as they are now."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    for name in LINKED:
        if (ROOT / name).exists():
            (root / name).symlink_to((ROOT / name).resolve())


def run(root: Path, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    limits = {"READER_EXAMPLES": "8", "AGREEMENT_RUNS": "10", "DATA_DIR": str(root / "data")}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly", *tests]
    environment = {**os.environ, **limits, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def is_seen(root: Path, sabotage: Sabotage) -> bool:
    """Also tells on the terminal, and why where it is a surprise."""
    file = root / sabotage.path
    sound = file.read_text()
    file.write_text(sabotage.applied_to(root))
    try:
        done = run(root, sabotage.seen_by)
    finally:
        file.write_text(sound)
    told = {PASSED: "SURVIVED", SEEN: "seen"}.get(done.returncode, "NOT TESTED")
    red = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    print(f"{told:<10} {sabotage.name}", *(f"           {line[:150]}" for line in red[:1]), sep="\n", flush=True)
    if done.returncode not in (PASSED, SEEN):
        print(done.stdout[-2000:], done.stderr[-2000:])
    return done.returncode == SEEN


def main(words: list[str]) -> int:
    chosen = [each for each in SABOTAGES if not words or any(word in each.name for word in words)]
    with tempfile.TemporaryDirectory(prefix="sabotage-") as directory:
        root = Path(directory)
        copy_to(root)
        sound = run(root, tuple(sorted({test for each in chosen for test in each.seen_by})))
        if sound.returncode != PASSED:
            print("Without any fault the tests fail already:", sound.stdout[-3000:], sound.stderr[-1000:], sep="\n")
            return 2
        unseen = [each.name for each in chosen if not is_seen(root, each)]
    print(f"{len(chosen) - len(unseen)} of {len(chosen)} were seen.")
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
