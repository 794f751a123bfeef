"""The first administrator, signing up, in and out."""

import pytest
from playwright.async_api import Page, expect

from tests.support.browser import Windows
from tests.support.people import PASSWORD
from tests.support.processes import MakeServer
from tests.support.server import ChatServer

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]


async def test_the_link_of_the_first_start_makes_the_administrator_once(
    windows: Windows, make_server: MakeServer
) -> None:
    server = make_server().start()
    link = server.setup_link()
    assert link is not None
    chat = await windows.fresh(server)
    page = chat.page
    await page.goto(link)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Set up this server")
    await _fill(page, username="root", password=PASSWORD, password_again=PASSWORD)
    await page.get_by_role("button", name="Create the administrator").click()
    await expect(chat.field).to_be_visible()
    await chat.open("/admin/")
    await expect(page.locator("#site-name, #header").first).to_be_visible()
    assert server.rows("SELECT is_superuser FROM accounts_user WHERE username = 'root'") == [{"is_superuser": 1}]

    other = await windows.fresh(server)
    other.watch.excuse("40[0-9]|410")
    await other.page.goto(link)
    await expect(other.page.get_by_role("heading", level=1)).to_have_text("This link does not work any more")


async def test_somebody_signs_up_out_and_in_again(windows: Windows, server: ChatServer) -> None:
    chat = await windows.fresh(server)
    page = chat.page
    await chat.open("/")
    await expect(page).to_have_url(f"{server.url}/accounts/login/?next=/")
    await page.get_by_role("link", name="Sign up").click()
    await _fill(page, username="grace", password1=PASSWORD, password2=PASSWORD)
    await page.locator("form.fields button[type=submit], .card form button[type=submit]").click()
    await expect(page.locator(".who")).to_have_text("grace")

    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_url(f"{server.url}/accounts/login/")
    await chat.open("/settings")
    await expect(page).to_have_url(f"{server.url}/accounts/login/?next=/settings")

    await _sign_in(page, "grace", "not the right one")
    await expect(page.locator(".errorlist")).to_contain_text("not correct")
    await expect(page.locator("[name=login]")).to_have_value("grace")
    await _sign_in(page, "grace", PASSWORD)
    await expect(page).to_have_url(f"{server.url}/settings")
    await expect(page.get_by_text("Signed in as grace.")).to_be_visible()


async def test_a_sign_up_that_will_not_do_says_why(windows: Windows, server: ChatServer) -> None:
    chat = await windows.fresh(server)
    await chat.open("/accounts/signup/")
    await _fill(chat.page, username="ada", password1="12345", password2="12345")
    await chat.page.locator(".card form button[type=submit]").click()
    await expect(chat.page.locator(".errorlist").first).to_be_visible()
    sentences = " ".join(await chat.page.locator(".errorlist").all_inner_texts())
    assert "already exists" in sentences
    assert "too short" in sentences


async def _sign_in(page: Page, name: str, password: str) -> None:
    await _fill(page, login=name, password=password)
    await page.get_by_role("button", name="Sign In").click()


async def _fill(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        await page.locator(f"[name={name}]").fill(value)
