"""The very first look: what is missing is said step by step, and seen when it is there."""

import pytest
from playwright.async_api import expect

from tests.support.axe import look
from tests.support.browser import Windows
from tests.support.environment import free_port
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]
TOPPED = "UPDATE accounts_user SET is_staff = ?, is_superuser = ? WHERE username = ?"


async def test_an_administrator_is_led_to_a_model_step_by_step_and_others_are_told_to_wait(
    windows: Windows, make_server: MakeServer, people: People
) -> None:
    port = free_port()
    server = make_server(OLLAMA_BASE_URL=f"http://127.0.0.1:{port}").start()
    bob = await (await windows.fresh(server, people["bob"])).open("/")
    await expect(bob.page.locator("first-run")).to_contain_text("Whoever runs this server has to start one")
    await expect(bob.page.locator(".first-run-steps")).to_have_count(0)
    assert server.spoil(TOPPED, True, True, "ada") == 1
    ada = await (await windows.fresh(server, people["ada"])).open("/")
    await expect(ada.page.get_by_role("heading", level=1)).to_have_text("One thing is missing: a model")
    steps = ada.page.locator(".first-run-steps > li")
    await expect(steps.first).to_contain_text(f"Ollama does not answer at http://127.0.0.1:{port}")
    # Said in one place.
    await expect(ada.page.locator(".server-notice")).to_have_count(1)
    await steps.first.get_by_role("button", name="Copy").click()
    await expect(steps.first.get_by_role("button")).to_have_text("Copied")
    await ada.page.get_by_text("Ollama on another machine").click()
    await expect(ada.page.get_by_text("OLLAMA_BASE_URL=http")).to_be_visible()
    await look(ada.page, "the first run")
    # What is there already answers meanwhile.
    await ada.send("Hello")
    await ada.ended()
    await ada.page.get_by_test_id("new-thread").click()
    with StandIn("--no-models", port=port):
        await expect(steps.first).to_have_text("Ollama is there.")
        await expect(steps.nth(1)).to_contain_text("has no model yet")
        await ada.page.get_by_role("link", name="Pull one").click()
        await ada.page.get_by_test_id("pull-name").fill("first")
        await ada.page.get_by_test_id("pull-name").press("Enter")
        await expect(ada.page.get_by_test_id("model")).to_contain_text("first:latest")
        await look(ada.page, "the models")
        await ada.page.get_by_role("link", name="Back to the chat").click()
        await expect(ada.page.get_by_role("heading", level=1)).to_have_text("What would you like to know?")
        await expect(ada.page.locator(".first-run")).to_have_count(0)


async def test_what_was_found_is_said_until_there_is_a_thread(
    windows: Windows, server: ChatServer, people: People
) -> None:
    server.spoil("UPDATE conversations_thread SET archived = 1")  # those of other tests
    chat = await (await windows.fresh(server, people["ada"])).open("/")
    await expect(chat.page.locator(".first-run-found")).to_contain_text("models are there.")
    await chat.ask("Hello", model="echo-3:latest")
    await chat.page.get_by_test_id("new-thread").click()
    await expect(chat.page.locator(".greeting")).to_be_visible()
    await expect(chat.page.locator(".first-run-found")).to_have_count(0)
