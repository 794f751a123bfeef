"""A person's own session, got as a browser gets one."""

import re
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx

from tests.support.people import PASSWORD


@dataclass
class Browser:
    """``async with Browser(url) as browser: await browser.sign_in("ada")``."""

    url: str

    async def __aenter__(self) -> Self:
        self.http = httpx.AsyncClient(base_url=self.url, trust_env=False, headers={"Origin": self.url}, timeout=20)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    @property
    def session(self) -> str:
        return self.http.cookies["session"]

    async def sign_in(self, name: str, password: str = PASSWORD) -> str:
        """The key of the new session."""
        await self.fill_in("/accounts/login/", login=name, password=password)
        return self.session

    async def sign_up(self, name: str) -> str:
        await self.fill_in("/accounts/signup/", username=name, password1=PASSWORD, password2=PASSWORD)
        return self.session

    async def fill_in(self, path: str, **fields: str) -> None:
        """Send the form at ``path``; it is taken, or this fails."""
        page = await self.http.get(path)
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert found, page.text
        answer = await self.http.post(path, data={"csrfmiddlewaretoken": found[1], **fields})
        assert answer.status_code == 302, re.sub(r"<[^>]+>|\s+", " ", answer.text)
