"""The product's settings, for a server with a tool that tells how far it is."""

import streaming.tools.registry
from chatserver.settings import *  # noqa: F403
from tests.support.telling import TOOLS

streaming.tools.registry.BUILT_IN = TOOLS
