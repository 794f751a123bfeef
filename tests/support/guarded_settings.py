"""The product's settings, for a server whose models may ask to write the journal."""

import streaming.tools.registry
from chatserver.settings import *  # noqa: F403
from tests.support.guarded import TOOLS

streaming.tools.registry.BUILT_IN = TOOLS
