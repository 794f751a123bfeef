"""What README.md shows is done here, word for word, against a server that was set up as it says."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.environment import product_environment
from tests.support.server import ChatServer

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text()
ADDRESS = "127.0.0.1:8000"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)


def commands() -> list[str]:
    """What follows each ``$``, with the lines that a backslash continues."""
    return re.findall(r"^\$ ((?:.*\\\n)*.*)$", "\n".join(blocks("console")), re.M)


def command(words: str) -> str:
    (found,) = [each for each in commands() if words in each]
    return found


class Shell:
    """Runs lines of the README where it says one stands: in the project, with the environment of the server."""

    def __init__(self, server: ChatServer) -> None:
        self._server = server
        self._environment = {**product_environment(server.data_dir), "CHAT_HOST": server.url.removeprefix("http://")}
        self._environment["no_proxy"] = "127.0.0.1"

    def run(self, script: str, **variables: str) -> str:
        script = script.replace(ADDRESS, self._environment["CHAT_HOST"]).replace(".venv/bin/python", sys.executable)
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=ROOT,
            env={**self._environment, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    server = ChatServer(tmp_path_factory.mktemp("readme") / "data")
    shell = Shell(server)
    shell.run(".venv/bin/python manage.py migrate --verbosity 0")
    with server:
        yield shell


@pytest.fixture(scope="module")
def token(shell: Shell) -> str:
    return shell.run(f'{command("create_user")}\n{command("TOKEN=")}\nprintf %s "$TOKEN"')


def events(stream: str) -> list[dict[str, object]]:
    return [json.loads(line.removeprefix("data: ")) for line in stream.splitlines() if line.startswith("data: ")]


def text(stream: str) -> str:
    deltas = re.findall(r'^data: (\{"event":"thread.message.delta".*\})$', stream, re.M)
    return "".join(json.loads(delta)["data"]["content"] for delta in deltas)


@pytest.fixture(scope="module")
def answer(shell: Shell, token: str) -> str:
    return shell.run(command("/api/chat/stream"), TOKEN=token)


def test_the_first_question_is_answered_event_by_event(answer: str) -> None:
    assert "391" in text(answer)
    assert answer.startswith(": open\nretry: 2000\n\nid: 1\nevent: thread.run.created\ndata: ")
    assert events(answer)[-1]["event"] == "thread.run.completed"


def test_the_same_body_gives_the_whole_answer_at_once(shell: Shell, token: str) -> None:
    whole = json.loads(shell.run(command("/api/chat/stream").replace("/api/chat/stream", "/api/chat"), TOKEN=token))
    assert "391" in whole["message"]["content"]


def test_it_is_resumed_after_the_event_that_is_named(shell: Shell, token: str, answer: str) -> None:
    run = re.search(r'"run_id":"([^"]+)"', answer)
    assert run
    rest = shell.run(command("/events?after=17"), TOKEN=token, RUN=run[1])
    numbered = [event for event in events(answer) if "id" in event]
    assert events(rest) == numbered[17:]
    assert "391" in text(rest)


def test_the_program_prints_the_answer(shell: Shell, token: str, tmp_path: Path) -> None:
    (program,) = blocks("python")
    file = tmp_path / "example.py"
    file.write_text(program)
    assert "391" in shell.run(f".venv/bin/python {file}", TOKEN=token)


def test_the_program_ends_with_the_reason_when_it_is_refused(shell: Shell, token: str, tmp_path: Path) -> None:
    (program,) = blocks("python")
    file = tmp_path / "example.py"
    file.write_text(program.replace("demo/demo", "demo/none"))
    assert "There is no such model" in shell.run(f".venv/bin/python {file}", TOKEN=token)


def test_the_shell_is_not_the_one_of_whoever_runs_the_tests() -> None:
    assert "TOKEN" not in product_environment(Path(os.devnull))
