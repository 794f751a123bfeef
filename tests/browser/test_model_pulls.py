"""The page of models: pulled to the end, stopped, reloaded in the middle; and what everybody else sees of it."""

import re
from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.support.browser import PHONE, Chat, Windows
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]
TOPPED = "UPDATE accounts_user SET is_staff = ?, is_superuser = ? WHERE username = ?"


@pytest.fixture(scope="module")
def own() -> Iterator[StandIn]:
    """Its list changes."""
    with StandIn() as standin:
        yield standin


@pytest.fixture(scope="module")
def managed(_maker: MakeServer, own: StandIn) -> Iterator[ChatServer]:
    """A server whose administrator is Ada."""
    with _maker(OLLAMA_BASE_URL=own.base_url) as server:
        assert server.spoil(TOPPED, True, True, "ada") == 1
        yield server


async def pull(chat: Chat, model: str) -> None:
    await chat.page.get_by_test_id("pull-name").fill(model)
    await chat.page.get_by_test_id("pull-name").press("Enter")


async def test_a_pull_goes_to_its_end_and_the_picker_of_another_tab_has_the_model(
    windows: Windows, managed: ChatServer, people: People
) -> None:
    chat = await (await windows.fresh(managed, people["ada"])).open("/")
    await chat.model.click()
    await expect(chat.option("ollama/qwen3:8b")).to_have_count(1)
    await expect(chat.option("ollama/paced-8-2:7b")).to_have_count(0)
    models = await windows.tab(chat, "/settings")
    await models.page.get_by_role("link", name="Manage models").click()
    await pull(models, "paced-8-2:7b")
    row = models.page.get_by_test_id("pull").first
    await expect(row).to_contain_text("of 8.0 MB")
    await expect(row.get_by_role("progressbar")).to_have_attribute("value", re.compile(r"^[1-9]\d$"))
    await expect(row).to_contain_text("Pulled · 8.0 MB")
    await expect(models.page.get_by_role("status")).to_have_text("paced-8-2:7b is there: 100 %.")
    await expect(models.page.get_by_test_id("model").filter(has_text="paced-8-2:7b")).to_have_count(1)
    await expect(chat.option("ollama/paced-8-2:7b")).to_have_count(1)


async def test_a_reload_in_the_middle_keeps_the_progress_and_a_cancel_stops_it(
    windows: Windows, managed: ChatServer, people: People, own: StandIn
) -> None:
    chat = await (await windows.fresh(managed, people["ada"], size=PHONE)).open("/models")
    await pull(chat, "gated-model")
    row = chat.page.get_by_test_id("pull").first
    await expect(row.get_by_role("progressbar")).to_have_attribute("value", "50")
    await chat.page.reload()
    await expect(row.get_by_role("progressbar")).to_have_attribute("value", "50")
    await expect(row).to_contain_text("4.0 MB of 8.0 MB")
    await row.get_by_role("button", name="Cancel").press("Enter")
    await expect(row).to_contain_text("Cancelled by ada · 4.0 MB fetched")
    own.wait_for(lambda stats: stats["active"] == 0)
    await expect(row.get_by_role("button", name="Pull again")).to_be_focused()
    await row.get_by_role("button", name="Pull again").press("Enter")
    await expect(chat.page.get_by_test_id("pull").first).to_contain_text("Pulled · 8.0 MB")


async def test_what_fails_says_why_in_words(windows: Windows, managed: ChatServer, people: People) -> None:
    chat = await (await windows.fresh(managed, people["ada"])).open("/models")
    await pull(chat, "missing")
    await expect(chat.page.locator(".pull-error").first).to_contain_text("no model of this name")
    chat.watch.excuse("400")
    await pull(chat, "evil.example/a/b")
    await expect(chat.page.get_by_role("alert")).to_contain_text("Models are not pulled from that registry")
    await expect(chat.page.get_by_test_id("pull-name")).to_have_value("evil.example/a/b")


async def test_a_model_is_loaded_unloaded_and_deleted_after_a_question(
    windows: Windows, managed: ChatServer, people: People
) -> None:
    chat = await (await windows.fresh(managed, people["ada"])).open("/models")
    row = chat.page.get_by_test_id("model").filter(has_text="plain:latest")
    await row.get_by_role("button", name="Load").click()
    await expect(row).to_contain_text("in memory")
    await row.get_by_role("button", name="Unload").click()
    await chat.page.get_by_test_id("confirm-button").click()
    await expect(row).not_to_contain_text("in memory")
    await row.get_by_role("button", name="Delete").click()
    await chat.page.get_by_role("button", name="Cancel", exact=True).click()
    await expect(row).to_have_count(1)
    await row.get_by_role("button", name="Delete").click()
    await expect(chat.page.get_by_role("dialog")).to_contain_text("1.3 GB")
    await chat.page.get_by_test_id("confirm-button").click()
    await expect(row).to_have_count(0)


async def test_an_ollama_without_a_model_says_where_to_pull_one(
    windows: Windows, make_server: MakeServer, people: People
) -> None:
    with StandIn("--no-models") as empty:
        server = make_server(OLLAMA_BASE_URL=empty.base_url).start()
        bob = await (await windows.fresh(server, people["bob"])).open("/")
        await expect(bob.page.locator(".server-notice")).to_contain_text("An administrator has to pull one")
        server.spoil(TOPPED, True, True, "ada")
        ada = await (await windows.fresh(server, people["ada"])).open("/")
        await ada.page.locator(".server-notice").get_by_role("link", name="Pull one").click()
        await pull(ada, "first")
        await expect(ada.page.get_by_test_id("model")).to_contain_text("first:latest")
        await ada.page.get_by_role("link", name="Back to the chat").click()
        await expect(ada.model).to_have_attribute("data-value", "ollama/first:latest")
        await expect(ada.page.locator(".server-notice")).to_have_count(0)


async def test_everybody_else_finds_no_link_and_no_page(windows: Windows, managed: ChatServer, people: People) -> None:
    chat = await (await windows.fresh(managed, people["bob"])).open("/settings")
    await expect(chat.page.get_by_role("heading", name="API tokens")).to_be_visible()
    await expect(chat.page.get_by_role("link", name="Manage models")).to_have_count(0)
    chat.watch.excuse("403")
    answer = await chat.page.goto(f"{chat.url}/models")
    assert answer is not None
    assert answer.status == 403
