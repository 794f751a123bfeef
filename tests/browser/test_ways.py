"""The page on a telephone, and without a mouse."""

import pytest
from playwright.async_api import expect

from tests.support.browser import PHONE, WIDE, Chat, Windows
from tests.support.people import People
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]
WIDE_THINGS = (
    "a" * 200
    + "\n\nhttps://example.org/"
    + "b" * 200
    + "\n\n```python\nx = '"
    + "c" * 200
    + "'\n```\n\n|"
    + " column |" * 12
    + "\n|"
    + "---|" * 12
    + "\n|"
    + " cell |" * 12
    + "\n\n# "
    + "D" * 100
    + "\n\n> "
    + "e" * 100
    + "\n\n`"
    + "f" * 100
    + "`"
)
# What sticks out to the side and is not inside something that scrolls or clips by itself.
STICKING_OUT = """() => {
    const width = document.documentElement.clientWidth;
    const clipped = one => {
        for (let up = one.parentElement; up && up !== document.body; up = up.parentElement)
            if (getComputedStyle(up).overflowX !== "visible") return true;
        return false;
    };
    const out = [...document.querySelectorAll("body *")].filter(one => {
        const box = one.getBoundingClientRect();
        const shown = one.checkVisibility({visibilityProperty: true, opacityProperty: true});
        return shown && box.width > 1 && (box.right > width + 1 || box.left < -1) && !clipped(one);
    });
    return {
        page: document.documentElement.scrollWidth - width,
        out: out.map(one => `${one.localName}.${one.className}`),
    };
}"""
WELL = {"page": 0, "out": []}


@pytest.fixture
def phone(server: ChatServer) -> dict[str, object]:
    return {"size": PHONE, "is_mobile": True, "has_touch": True}


async def test_nothing_of_a_conversation_sticks_out_on_a_phone(
    windows: Windows, server: ChatServer, people: People, phone: dict[str, object]
) -> None:
    chat = await windows.fresh(server, people["ada"], **phone)  # type: ignore[arg-type]
    await chat.open("/")
    await expect(chat.field).to_be_visible()
    assert await chat.page.evaluate(STICKING_OUT) == WELL
    await chat.send(WIDE_THINGS, model="echo-3:latest")
    await expect(chat.answer).to_be_visible()
    assert await chat.page.evaluate(STICKING_OUT) == WELL
    await chat.ended()
    assert await chat.page.evaluate(STICKING_OUT) == WELL
    await chat.ask("What is 6 * 7?", model="qwen3:8b")
    await chat.answer.locator("thinking-step button").first.click()
    assert await chat.page.evaluate(STICKING_OUT) == WELL
    await chat.send("error", model="error-mid:latest")
    await expect(chat.error).to_be_visible()
    assert await chat.page.evaluate(STICKING_OUT) == WELL


async def test_the_other_pages_fit_a_phone(
    windows: Windows, server: ChatServer, people: People, phone: dict[str, object]
) -> None:
    stranger = await windows.fresh(server, **phone)  # type: ignore[arg-type]
    for path in ("login/", "signup/", "password/reset/"):
        await stranger.open(f"/accounts/{path}")
        assert await stranger.page.evaluate(STICKING_OUT) == WELL
    chat = await windows.fresh(server, people["ada"], **phone)  # type: ignore[arg-type]
    await chat.open("/settings")
    await expect(chat.page.get_by_role("heading", name="API tokens")).to_be_visible()
    await chat.page.get_by_label("Name of the new token").fill("A token of the phone's test")
    await chat.page.get_by_role("button", name="Create").click()
    await expect(chat.page.locator(".fresh-token code")).to_be_visible()
    assert await chat.page.evaluate(STICKING_OUT) == WELL


async def test_a_transcript_fits_a_phone(
    windows: Windows, chat: Chat, server: ChatServer, people: People, phone: dict[str, object]
) -> None:
    await chat.send(WIDE_THINGS, model="echo-3:latest")
    await chat.ended()
    change = "UPDATE accounts_user SET is_staff = ?, is_superuser = ? WHERE username = 'bob'"
    server.spoil(change, 1, 1)
    admin = await windows.fresh(server, people["bob"], **phone)  # type: ignore[arg-type]
    await admin.open(f"/admin/conversations/thread/{chat.thread_id}/transcript/")
    await admin.page.get_by_label("Reason").fill("To see whether it fits")
    await admin.page.get_by_role("button", name="Open the transcript").click()
    await admin.page.locator(".transcript-run summary").last.click()
    event = admin.page.locator(".transcript-run tbody td:nth-child(2)").first
    assert await event.evaluate("one => one.getClientRects()[0].height") < 60  # and is not written downwards
    assert (await admin.page.evaluate(STICKING_OUT))["page"] == 0
    server.spoil(change, 0, 0)


async def test_the_list_opens_in_front_and_closes_again_on_a_phone(
    windows: Windows, server: ChatServer, people: People, phone: dict[str, object]
) -> None:
    chat = await windows.fresh(server, people["ada"], **phone)  # type: ignore[arg-type]
    await chat.open("/")
    await chat.ask("On the phone", model="echo-3:latest")
    await expect(chat.page.get_by_test_id("thread-list")).to_be_hidden()
    await chat.page.get_by_role("button", name="Show the list").tap()
    await expect(chat.titles.first).to_have_text("On the phone")
    await chat.page.keyboard.press("Escape")
    await expect(chat.page.get_by_test_id("thread-list")).to_be_hidden()
    await chat.page.get_by_role("button", name="Show the list").tap()
    await chat.titles.first.tap()
    await expect(chat.page.get_by_test_id("thread-list")).to_be_hidden()


async def test_a_long_conversation_scrolls_in_its_place_and_never_the_page(chat: Chat) -> None:
    await chat.send("\n\n".join(f"line {i}" for i in range(60)), model="slow-40@40:latest")
    await chat.ended()
    await chat.answer.evaluate("one => one.scrollIntoView()")
    page = await chat.page.evaluate("[document.scrollingElement.scrollTop, document.scrollingElement.scrollHeight]")
    assert page == [0, WIDE[1]]
    await expect(chat.page.locator(".topbar")).to_be_in_viewport()


async def test_the_whole_way_by_keyboard(chat: Chat) -> None:
    keys = chat.page.keyboard
    await chat.choose("gated-20:latest")
    await chat.page.reload()
    await expect(chat.field).to_be_focused()
    await keys.type("First line")
    await keys.press("Shift+Enter")
    await keys.type("second line")
    await keys.press("Enter")
    await chat.says("t19")
    await expect(chat.page.locator(".question")).to_have_text("First line\nsecond line")
    await expect(chat.field).to_be_focused()
    for _ in ("to attach files", "the model", "to stop"):
        await keys.press("Tab")
    await expect(chat.stop_button).to_be_focused()
    await keys.press("Enter")
    await chat.ended()
    await expect(chat.answer.locator(".ending")).to_contain_text("Stopped.")
    await keys.press("Shift+Tab")
    focused = await chat.page.evaluate("document.activeElement.localName")
    assert focused in ("select", "textarea", "button")


async def test_the_link_before_all_others_leads_past_the_list_to_the_field(chat: Chat) -> None:
    await chat.ask("Hello", model="echo-3:latest")
    await chat.page.locator("thread-sidebar .wordmark").focus()
    await chat.page.keyboard.press("Shift+Tab")
    link = chat.page.get_by_role("link", name="To the message field")
    await expect(link).to_be_focused()
    await expect(link).to_be_in_viewport()
    await chat.page.keyboard.press("Enter")
    await expect(chat.field).to_be_focused()


async def test_the_end_of_an_answer_is_said_to_a_screen_reader(chat: Chat, standin: StandIn) -> None:
    said = chat.page.locator("live-region [role=status]")
    await chat.send("Count", model="gated-20:latest")
    await expect(said).to_contain_text("The answer is being written.")
    standin.release()
    await chat.ended()
    await expect(said).to_contain_text("Answer finished.")
