from tests.permissions.conftest import world  # noqa: F401  a fixture
from tests.support.processes import *  # noqa: F403  fixtures
