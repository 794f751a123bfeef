"""Somebody at the forms of the administration, over HTTP."""

import re

from tests.support.sign_in import Browser

SERVERS = "/admin/conversations/modelserver/"


class Administrator:
    """Fills in forms; all that was shown is in ``seen``."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.seen: list[str] = []

    async def page(self, path: str) -> str:
        answer = await self.browser.http.get(path)
        assert answer.status_code == 200, answer
        self.seen.append(answer.text)
        return answer.text

    async def fill_in(self, path: str, **fields: str) -> str:
        """The page that follows, or the form again with what is wrong."""
        form = await self.page(path)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
        assert token
        sent = {"csrfmiddlewaretoken": token[1], "enabled": "on", "audience": "everybody", **fields}
        answer = await self.browser.http.post(path, data=sent, follow_redirects=True)
        self.seen.append(answer.text)
        return str(answer.text)

    async def of(self, name: str) -> str:
        """The address of a server's form."""
        found = re.search(rf'href="({SERVERS}[0-9a-f-]+/change/)[^"]*">{name}<', await self.page(SERVERS))
        assert found, name
        return found[1]
