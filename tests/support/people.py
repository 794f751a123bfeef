"""People in a fresh data directory, with tokens and sessions: made once by a program of its own, then copied."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.environment import ROOT, product_environment

PASSWORD = "correct horse battery staple"
NAMES = ("ada", "bob")


@dataclass(frozen=True)
class Person:
    name: str
    user_id: str
    token: str
    reading_token: str
    session: str


People = dict[str, Person]


def settle(data_dir: Path, **settings: object) -> People:
    """Migrate a new database and make everybody of ``NAMES`` in it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.settling"],
        cwd=ROOT,
        env=product_environment(data_dir, **settings),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {name: Person(**facts) for name, facts in json.loads(done.stdout).items()}
