import pytest

from chatserver.accounts.models import User
from conversations.selectors import runs as questions
from streaming.engine.prompt import load_prompt
from tests.support.stored import answer, ask, thread_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("looked_at", "older"), [(5, False), (4, True), (3, True)])
def test_a_thread_that_reaches_back_further_than_is_looked_at_says_so(
    user: User, monkeypatch: pytest.MonkeyPatch, looked_at: int, older: bool
) -> None:
    monkeypatch.setattr(questions, "HISTORY", looked_at)
    thread = thread_of(user)
    for _ in range(2):
        answer(ask(user, thread=thread).run)
    prompt = load_prompt(ask(user, thread=thread).run.pk)
    assert (len(prompt.history), prompt.older) == (looked_at, older)
