"""The product's settings, for a server that speaks the language of marks, and no other."""

import os
from pathlib import Path

from chatserver.settings import *  # noqa: F403
from tests.support.marked import LANGUAGE

LANGUAGE_CODE = LANGUAGE
LANGUAGES = [(LANGUAGE, "marked")]
LOCALE_PATHS = [Path(os.environ["MARKED"])]
