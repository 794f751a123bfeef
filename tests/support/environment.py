"""The environment in which tests start the product's processes: nothing of the outside but the bare necessities."""

import os
import random
import socket
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
_INHERITED = ("PATH", "HOME", "LANG", "PYTHONPATH", "TMPDIR")
# Port 9 is nobody's: whether an Ollama happens to run on this machine must not change what a test sees.
NO_OLLAMA = "http://127.0.0.1:9"


def product_environment(data_dir: Path, **settings: object) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {
        **inherited,
        "DJANGO_SETTINGS_MODULE": "chatserver.settings",
        "PYTHONUNBUFFERED": "1",
        "DATA_DIR": str(data_dir),
        "OLLAMA_BASE_URL": NO_OLLAMA,
        "TITLES": "off",  # it would be counted at the model servers; the tests of it ask for it
        **{name: str(value) for name, value in settings.items()},
    }


def free_port() -> int:
    """A free port, below those that outgoing connections are given: nobody takes it between two starts."""
    while True:
        port = random.randint(18_000, 32_000)
        with socket.socket() as candidate:
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
