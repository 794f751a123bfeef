"""The model select, and the notice that stands where no model server does."""

import pytest
from playwright.async_api import expect

from tests.support.browser import Chat, Windows
from tests.support.environment import free_port
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.standin import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]


async def test_the_model_that_is_chosen_answers_and_stays_chosen(chat: Chat) -> None:
    await chat.ask("Hello", model="echo-3:latest")
    await expect(chat.usage).to_contain_text("ollama/echo-3:latest")
    await chat.page.reload()
    await expect(chat.model).to_have_attribute("data-value", "ollama/echo-3:latest")
    await chat.page.get_by_test_id("new-thread").click()
    await expect(chat.model).to_have_attribute("data-value", "ollama/echo-3:latest")


async def test_what_cannot_chat_is_not_offered(chat: Chat) -> None:
    await chat.model.click()
    await expect(chat.option("ollama/qwen3:8b")).to_have_count(1)
    await expect(chat.page.get_by_role("option", name="nomic-embed-text")).to_have_count(0)


async def test_without_a_model_server_the_page_says_what_to_do_and_sees_when_it_is_done(
    windows: Windows, make_server: MakeServer, people: People
) -> None:
    standin = StandIn(port=free_port())
    server = make_server(OLLAMA_BASE_URL=standin.base_url).start()
    chat = await (await windows.fresh(server, people["ada"])).open("/")
    notice = chat.page.locator(".server-notice p")
    await expect(notice).to_contain_text("ollama serve")
    await expect(chat.page.locator(".hint.is-demo")).to_have_text("Demonstration, not a language model")
    await chat.send("Hello")
    await chat.ended()
    with standin:
        await expect(notice).to_have_count(0, timeout=15_000)
        await chat.model.click()
        await expect(chat.option("ollama/qwen3:8b")).to_have_count(1)
        await chat.page.keyboard.press("Escape")
        await chat.page.get_by_test_id("new-thread").click()
        await expect(chat.answers).to_have_count(0)
        assert "You wrote" in await chat.ask("Hello again", model="plain:latest")
