"""The product's settings, with everything a test writes kept away from the product's own data."""

import os
import tempfile
import zlib
from pathlib import Path

# One a checkout and test worker: a data directory is one process's.
os.environ["DATA_DIR"] = str(
    Path(
        os.environ.get("DATA_DIR")
        or Path(tempfile.gettempdir()) / f"chatserver-tests-{os.getuid()}-{zlib.crc32(__file__.encode()):x}"
    )
    / os.environ.get("PYTEST_XDIST_WORKER", "alone")
)
# Port 9 is nobody's: whether an Ollama happens to run on this machine must not change what a test sees.
os.environ["OLLAMA_BASE_URL"] = "http://127.0.0.1:9"
# What is asked when an answer is done would be counted, and change what tests compare; the tests of it ask for it.
os.environ["TITLES"] = "off"
os.environ["OPENAI_BASE_URL"] = os.environ["OPENAI_API_KEY"] = ""

from chatserver.settings import *  # noqa: F403
from chatserver.settings import DATA_DIR, INSTALLED_APPS, STORAGES

INSTALLED_APPS = [*INSTALLED_APPS, "tests.support.emptying"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
# Nobody asks this process for a file, and each test client would look at all that were collected: a tenth of a second.
STATIC_ROOT = DATA_DIR / "no-static-files"
