from tests.support.processes import *  # noqa: F403  fixtures
