"""Nothing is overwritten: other versions of questions and answers are an arrow away, and models answer side by side."""

import pytest
from playwright.async_api import Locator, expect

from tests.support.browser import PHONE, Chat, Windows
from tests.support.people import People
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]

TWENTY = " ".join(f"t{number}" for number in range(20))
THREE = ["ollama/echo-3:latest", "ollama/think-20@20:latest", "ollama/gated-20:latest"]


def questions(chat: Chat) -> Locator:
    return chat.page.locator(".user-message")


def place(message: Locator) -> Locator:
    return message.locator(".versions span[aria-hidden]")


async def beside(chat: Chat, models: list[str]) -> None:
    """Choose these models, the first of them to lead."""
    await chat.choose(models[0].removeprefix("ollama/"))
    await chat.model.click()
    await chat.page.get_by_test_id("compare").check()
    for model in models[1:]:
        await chat.option(model).click()
    await chat.page.keyboard.press("Escape")
    await expect(chat.model).to_contain_text(f"and {len(models) - 1} more")


async def edited(chat: Chat, question: Locator, text: str) -> None:
    await question.hover()
    await question.get_by_test_id("edit-button").click()
    await chat.page.get_by_test_id("edit-input").fill(text)
    await chat.page.get_by_test_id("edit-input").press("Enter")


async def test_arrows_lead_to_the_answer_before_and_back_on_every_device(windows: Windows, chat: Chat) -> None:
    await chat.ask("Once", model="echo-3:latest")
    await expect(chat.answer.locator(".versions")).to_have_count(0)
    await chat.choose("think-20@20:latest")
    await chat.page.get_by_test_id("regenerate-button").click()
    await chat.says(TWENTY)
    await chat.ended()
    await expect(place(chat.answer)).to_have_text("2 / 2")
    other = await windows.tab(chat, f"/threads/{chat.thread_id}")
    await expect(place(other.answer)).to_have_text("2 / 2")

    await chat.page.get_by_test_id("previous-version").click()
    await chat.says("Once")
    await expect(place(chat.answer)).to_have_text("1 / 2")
    await expect(chat.page.get_by_test_id("next-version")).to_be_focused()
    await other.says("Once")
    await chat.page.reload()
    await chat.says("Once")
    await chat.page.get_by_test_id("next-version").click()
    await chat.says(TWENTY)
    await other.says(TWENTY)
    await expect(chat.answers).to_have_count(1)


async def test_a_question_in_other_words_is_another_version_and_the_first_goes_on_as_it_did(chat: Chat) -> None:
    await chat.ask("First", model="echo-3:latest")
    await chat.ask("Then")
    await edited(chat, questions(chat).first, "Second")
    await chat.says("Second")
    await chat.ended()
    await expect(questions(chat)).to_have_count(1)
    await expect(place(questions(chat).first)).to_have_text("2 / 2")
    await questions(chat).first.get_by_test_id("previous-version").click()
    await chat.says("Then")
    await expect(questions(chat)).to_have_count(2)
    await expect(questions(chat).first.get_by_test_id("next-version")).to_be_focused()


async def test_what_is_being_written_anew_survives_a_reload_and_escape_leaves_it(chat: Chat) -> None:
    await chat.ask("First", model="echo-3:latest")
    await questions(chat).first.hover()
    await chat.page.get_by_test_id("edit-button").click()
    await chat.page.get_by_test_id("edit-input").fill("Half a thou")
    await chat.page.reload()
    field = chat.page.get_by_test_id("edit-input")
    await expect(field).to_have_value("Half a thou")
    await field.press("Escape")
    await expect(chat.page.locator(".question")).to_have_text("First")
    await expect(chat.page.get_by_test_id("edit-button")).to_be_focused()
    await chat.page.reload()
    await expect(chat.page.locator(".question")).to_have_text("First")


async def test_another_model_answers_the_same_question_by_the_menu(chat: Chat) -> None:
    await chat.ask("Once", model="echo-3:latest")
    menu = chat.answer.locator("menu-button")
    await menu.locator("button").first.focus()
    await chat.page.keyboard.press("ArrowDown")
    await expect(chat.page.get_by_role("menuitem").first).to_be_focused()
    await chat.page.keyboard.type("ollama/th")  # letter by letter from one to the next
    await chat.page.keyboard.press("Escape")
    await expect(chat.page.get_by_role("menuitem")).to_have_count(0)
    await expect(menu.locator("button").first).to_be_focused()
    await menu.locator("button").first.click()
    await chat.page.get_by_role("menuitem", name="think-20@20").click()
    await chat.says(TWENTY)
    await chat.ended()
    await expect(chat.usage).to_contain_text("think-20@20")


async def test_a_deleted_answer_is_asked_about_first_and_is_gone_everywhere(windows: Windows, chat: Chat) -> None:
    await chat.ask("Once", model="echo-3:latest")
    await chat.page.get_by_test_id("regenerate-button").click()
    await expect(place(chat.answer)).to_have_text("2 / 2")
    await chat.ended()
    other = await windows.tab(chat, f"/threads/{chat.thread_id}")
    await expect(place(other.answer)).to_have_text("2 / 2")
    for choice in ("Cancel", "Delete"):
        await chat.answer.locator("menu-button button").first.click()
        await chat.page.get_by_role("menuitem", name="Delete the answer").click()
        await chat.page.get_by_role("dialog").get_by_role("button", name=choice).click()
    await expect(chat.answer.locator(".versions")).to_have_count(0)
    await expect(other.answer.locator(".versions")).to_have_count(0)
    assert [row["role"] for row in chat.stored()] == ["user", "assistant"]

    await questions(chat).first.hover()
    await chat.page.get_by_test_id("delete-message").click()
    await chat.page.get_by_test_id("confirm-button").click()
    await expect(chat.page.locator(".message")).to_have_count(0)
    assert chat.stored() == []


async def test_three_models_answer_side_by_side_and_the_thread_goes_on_from_the_one_that_is_chosen(
    windows: Windows, chat: Chat, standin: StandIn
) -> None:
    columns = chat.page.locator(".answer-column")
    names = [model.removeprefix("ollama/") for model in THREE]
    await beside(chat, THREE)
    await chat.send("All of you")
    await expect(columns).to_have_count(3)
    await expect(columns.nth(2)).to_contain_text("t19")
    assert await columns.locator("h3").all_inner_texts() == names
    other = await windows.tab(chat, f"/threads/{chat.thread_id}")
    await expect(other.page.locator(".answer-column").nth(2)).to_contain_text("t19")
    await expect(columns.nth(1)).to_contain_text("t19")
    # One of them is stopped by itself.
    await columns.nth(2).get_by_test_id("stop-column").click()
    await expect(columns.nth(2).locator(".ending")).to_contain_text("Stopped.")
    await expect(chat.stop_button).to_have_count(0)
    await expect(columns.locator(".is-chosen")).to_have_count(0)
    await columns.nth(1).get_by_test_id("choose-column").click()
    await expect(columns.nth(1)).to_contain_text("Goes on from here")
    await expect(other.page.locator(".answer-column").nth(1)).to_contain_text("Goes on from here")
    await chat.page.reload()
    await expect(columns.nth(1)).to_contain_text("Goes on from here")
    assert await columns.locator("h3").all_inner_texts() == names

    await chat.send("Go on", model="echo-3:latest")
    await chat.says("Go on")
    await chat.ended()
    await expect(columns).to_have_count(0)
    await expect(place(chat.answers.first)).to_have_text("2 / 3")
    asked = [row for row in chat.stored() if row["content"] == "Go on" and row["role"] == "user"]
    answers = {row["id"]: row for row in chat.stored()}
    assert answers[asked[0]["parent_id"]]["content"] == TWENTY


async def test_an_answer_that_is_written_in_another_version_is_told_and_can_be_shown(
    chat: Chat, standin: StandIn
) -> None:
    await chat.ask("Once", model="echo-3:latest")
    await chat.choose("gated-20:latest")
    await chat.page.get_by_test_id("regenerate-button").click()
    await chat.says("t19")
    # Its own foot comes with its end, so another tab's way: the version before, by the address of the interface.
    await chat.page.evaluate(
        """async () => {
          const { conversation, store } = document.querySelector("chat-app").page;
          const [first] = Object.values(store.state.versions).find((ids) => ids.length === 2);
          await conversation.show(first);
        }"""
    )
    await chat.says("Once")
    await expect(chat.status).to_contain_text("An answer is being written in another version.")
    await expect(chat.stop_button).to_be_visible()
    await chat.page.reload()
    await chat.says("Once")
    await chat.page.get_by_test_id("show-elsewhere").click()
    await chat.says("t19")
    standin.release()
    await chat.says("t39")
    await chat.ended()
    await expect(place(chat.answer)).to_have_text("2 / 2")


async def test_on_a_phone_one_column_stands_beside_the_edge_of_the_next(
    windows: Windows, server: ChatServer, people: People
) -> None:
    phone = await (await windows.fresh(server, people["ada"], size=PHONE)).open()
    await beside(phone, THREE[:2])
    await phone.send("Both of you")
    columns = phone.page.locator(".answer-column")
    await expect(columns.nth(1)).to_contain_text("t19")
    boxes = [await columns.nth(index).bounding_box() for index in range(2)]
    assert boxes[0]
    assert boxes[1]
    assert boxes[0]["width"] > 0.7 * PHONE[0]
    assert boxes[1]["x"] < PHONE[0]
    assert await phone.page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
