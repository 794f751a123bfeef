"""Asking, watching the answer come, and stopping it."""

import asyncio
import re
from itertools import pairwise

import pytest
from playwright.async_api import expect

from tests.support.browser import Chat, Windows
from tests.support.client import Client
from tests.support.people import People
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]
TWENTY = " ".join(f"t{i}" for i in range(20))
# What a screen reader is told from now on.
HEARING = """region => {
  window.heard = [];
  const options = { childList: true, characterData: true, subtree: true };
  new MutationObserver(() => window.heard.push(region.textContent)).observe(region, options);
}"""
ENDED = re.compile(r"Answer finished\. \d+ words\.\s*$")
FORTY = " ".join(f"t{i}" for i in range(40))


async def test_an_answer_grows_word_by_word_and_is_stored_as_it_is_shown(chat: Chat) -> None:
    await chat.send("Count", model="slow-40@40:latest")
    await expect(chat.stop_button).to_be_visible()
    seen = [await chat.until(chat.text, lambda said: "t1" in said)]
    while not seen[-1].endswith("t39"):
        seen.append(await chat.until(chat.text, lambda said: said != seen[-1]))
    assert len(seen) > 3
    assert all(later.startswith(earlier) for earlier, later in pairwise(seen))
    await chat.ended()
    assert await chat.text() == FORTY == chat.stored_answer()["content"]
    assert [row["status"] for row in chat.stored()] == ["completed", "completed"]


async def test_what_the_model_was_not_given_stands_under_the_answer_and_is_heard_once(chat: Chat) -> None:
    """The stand-in has loaded this model with 8,192 tokens."""
    aloud = chat.page.locator("live-region [role=status]")
    await chat.ask("word " * 4000, model="qwen3:8b")
    await expect(chat.page.get_by_test_id("notice")).to_have_count(0)
    await expect(aloud).to_have_text(ENDED)
    await aloud.evaluate(HEARING)
    await chat.ask("word " * 3000)
    sentence = "The 2 oldest messages did not fit; the model reads at most 8,192 tokens at once."
    notice = chat.answer.get_by_test_id("notice")
    await expect(notice).to_have_text(sentence)
    heard = await chat.until(
        lambda: chat.page.evaluate("window.heard"), lambda heard: heard and ENDED.search(heard[-1])
    )
    assert [sentence in one for one in heard].count(True) == 1
    assert len(heard) <= 3
    await chat.page.reload()
    await expect(notice).to_have_text(sentence)
    await expect(chat.page.get_by_test_id("notice")).to_have_count(1)


async def test_the_last_line_says_what_the_answer_cost(chat: Chat) -> None:
    await chat.ask("Count", model="slow-40@40:latest")
    usage = await chat.usage.locator("span").all_inner_texts()
    assert usage[0] == "ollama/slow-40@40:latest"
    assert [part for part in usage if part.startswith("First token ")]
    assert [part for part in usage if part.endswith(" tokens/s")]
    assert "40 tokens" in usage
    assert usage[-1].endswith(" in the prompt")


async def test_thinking_is_open_while_it_lasts_and_folds_when_the_answer_begins(chat: Chat) -> None:
    await chat.send("Think", model="think-20@20:latest")
    thinking = chat.answer.locator("thinking-step")
    head = thinking.get_by_role("button")
    await expect(head).to_have_text("Thinking…")
    await expect(head).to_have_attribute("aria-expanded", "true")
    await expect(thinking.locator(".step-body")).to_contain_text("t3")
    await chat.until(chat.text, lambda said: "t1" in said)
    await expect(head).to_have_attribute("aria-expanded", "false")
    await expect(head).to_have_text(re.compile(r"Thought for [01]\.\d+ s"))
    await expect(thinking.locator(".step-body")).to_have_count(0)
    await head.click()
    await expect(thinking.locator(".step-body")).to_have_text(TWENTY)
    await chat.ended()
    assert chat.stored_answer()["thinking"] == TWENTY
    await expect(thinking.locator(".step-body")).to_have_text(TWENTY)


async def test_a_tool_shows_its_name_arguments_output_and_how_it_ended(chat: Chat) -> None:
    assert await chat.ask("What is 6 * 7?", model="qwen3:8b") == "The result is 42."
    card = chat.answer.locator("tool-card")
    await expect(card.locator(".tool-name")).to_have_text("calculator")
    await expect(card.locator(".tool-arguments dt")).to_have_text("expression")
    await expect(card.locator(".tool-arguments dd")).to_have_text("6 * 7")
    await expect(card.locator(".tool-output")).to_have_text("42")
    await expect(card.locator(".tool-outcome")).to_contain_text("done · ")
    kinds = await chat.answer.locator("thinking-step, tool-card, :scope > markdown-text").evaluate_all(
        "all => all.map(one => one.localName)"
    )
    assert kinds == ["thinking-step", "tool-card", "thinking-step", "markdown-text"]
    assert chat.stored_answer()["content"] == "The result is 42."


async def test_two_tools_stand_in_the_order_in_which_they_were_called(chat: Chat) -> None:
    await chat.ask("Two, please", model="parallel-tools:latest")
    await expect(chat.answer.locator(".tool-arguments dd")).to_have_text(["2 * 7", "3 * 7"])
    await expect(chat.answer.locator(".tool-output")).to_have_text(["14", "21"])


async def test_stop_closes_the_model_server_and_keeps_what_was_there(chat: Chat, standin: StandIn) -> None:
    await chat.send("Count", model="gated-20:latest")
    await chat.says("t19")
    before = len(standin.stats()["aborted"])
    await chat.stop_button.click()
    stats = await asyncio.to_thread(standin.wait_for, lambda stats: len(stats["aborted"]) > before, timeout=2)
    assert stats["aborted"][-1]["model"] == "gated-20:latest"
    await chat.ended()
    await expect(chat.answer.locator(".ending")).to_have_text("Stopped. What was written so far is kept.")
    assert await chat.text() == TWENTY == chat.stored_answer()["content"]
    await expect(chat.field).to_be_enabled()


async def test_what_was_stopped_is_the_same_after_a_reload_and_the_thread_goes_on(chat: Chat) -> None:
    await chat.send("Count", model="slow-400@40:latest")
    await chat.until(chat.text, lambda said: "t20" in said)
    await chat.stop_button.click()
    await chat.ended()
    shown = await chat.text()
    assert shown == chat.stored_answer()["content"]
    await chat.page.reload()
    await chat.ended()
    assert await chat.text() == shown
    assert await chat.ask("And now?", model="echo-3:latest") == "And now?"


async def test_what_was_stopped_can_be_continued_in_the_same_answer(chat: Chat) -> None:
    await chat.send("Count", model="goes-on-10:latest")
    await chat.says("t9")
    await chat.stop_button.click()
    await chat.ended()
    await chat.page.get_by_test_id("continue-button").click()
    await chat.says("t19")
    await chat.ended()
    await expect(chat.page.locator(".assistant-message")).to_have_count(1)
    await expect(chat.page.get_by_test_id("continue-button")).to_have_count(0)
    assert await chat.text() == TWENTY == chat.stored_answer()["content"]


async def test_with_streaming_off_the_answer_comes_at_once(chat: Chat) -> None:
    await chat.open("/settings")
    await chat.page.get_by_label("Enable Streaming").uncheck()
    await chat.open("/")
    await chat.send("Count", model="slow-40@40:latest")
    await expect(chat.status).to_have_text("Waiting for the whole answer…")
    seen: set[str] = set()
    while not any(seen):
        seen.add(await chat.text())
    assert seen == {"", FORTY}
    await chat.ended()
    assert chat.stored_answer()["content"] == FORTY


async def test_an_error_says_what_happened_and_retry_works(chat: Chat) -> None:
    await chat.send("Try", model="error-mid:latest")
    await expect(chat.error).to_contain_text("model")
    assert await chat.text() == "One two three" == chat.stored_answer()["content"]
    assert "Traceback" not in await chat.error.inner_text()
    await chat.choose("echo-3:latest")
    await chat.error.get_by_role("button", name="Retry").click()
    await chat.until(chat.text, lambda said: said == "Try")
    await expect(chat.error).to_have_count(0)
    await chat.ended()
    assert chat.stored_answer()["content"] == "Try"


async def test_an_error_is_still_there_after_a_reload_with_its_retry(chat: Chat) -> None:
    await chat.send("Try", model="error-mid:latest")
    await expect(chat.error.locator("p").nth(1)).to_have_text("Ask again, or choose another model.")
    said = await chat.error.locator("p").all_inner_texts()
    await chat.page.reload()
    await expect(chat.error.locator("p")).to_have_text(said)
    await expect(chat.error.get_by_role("button", name="Retry")).to_be_enabled()


async def test_a_model_server_that_is_well_again_answers_by_itself(chat: Chat, standin: StandIn) -> None:
    standin.reset()
    assert await chat.ask("Try", model="flaky-1:latest") == "At last."


async def test_a_model_server_that_fails_three_times_is_asked_again_by_retry(chat: Chat, standin: StandIn) -> None:
    standin.reset()
    await chat.send("Try", model="flaky-3:latest")
    await expect(chat.error).to_contain_text("model runner has unexpectedly stopped")
    await chat.error.get_by_role("button", name="Retry").click()
    await chat.until(chat.text, lambda said: said == "At last.")
    await expect(chat.error).to_have_count(0)
    await chat.ended()


async def test_regenerate_writes_another_answer_beside_the_first(chat: Chat) -> None:
    await chat.ask("Once", model="echo-3:latest")
    first = chat.stored_answer()
    await chat.page.get_by_test_id("regenerate-button").click()

    async def statuses() -> list[str]:
        return [row["status"] for row in chat.stored()]

    await chat.until(statuses, lambda found: found == ["completed"] * 3)
    await chat.until(chat.text, lambda said: said == "Once")
    await chat.ended()
    await expect(chat.answers).to_have_count(1)
    await expect(chat.page.locator(".user-message")).to_have_count(1)
    second = chat.stored_answer()
    assert second["id"] != first["id"]
    assert second["parent_id"] == first["parent_id"]


async def test_eight_tabs_follow_one_answer(
    windows: Windows, chat: Chat, server: ChatServer, people: People, standin: StandIn
) -> None:
    await chat.send("Count", model="gated-20:latest")
    await chat.says("t19")
    path = f"/threads/{chat.thread_id}"
    tabs = [chat, *[await windows.tab(chat, path) for _ in range(7)]]
    for tab in tabs:
        await tab.says("t19")
        await expect(tab.stop_button).to_be_visible()
    standin.release()
    for tab in tabs:
        await tab.ended()
        assert await tab.text() == FORTY
    assert chat.stored_answer()["content"] == FORTY


async def test_a_stop_in_one_tab_is_seen_in_the_other(windows: Windows, chat: Chat) -> None:
    await chat.send("Count", model="gated-20:latest")
    await chat.says("t19")
    other = await windows.tab(chat, f"/threads/{chat.thread_id}")
    await other.says("t19")
    await other.stop_button.click()
    await chat.ended()
    await expect(chat.answer.locator(".ending")).to_contain_text("Stopped.")


async def test_why_an_answer_ended_early_is_the_same_after_a_reload(
    windows: Windows, server: ChatServer, people: People
) -> None:
    chat = await windows.usual(server, people["ada"])
    async with Client(server.url, people["ada"].token) as program:
        made = await program.post(
            "/api/v1/threads", {"model": "ollama/slow-40@40:latest", "parameters": {"max_tokens": 3}}
        )
    await chat.open(f"/threads/{made.json()['id']}")
    await chat.send("Count")
    for _ in range(2):
        await expect(chat.answer.locator(".ending")).to_have_text("The answer reached its length limit.")
        await expect(chat.answer.get_by_test_id("continue-button")).to_be_enabled()
        await chat.page.reload()


async def test_what_takes_long_to_begin_is_still_waited_for_also_after_a_reload(
    windows: Windows, server: ChatServer, people: People
) -> None:
    chat = await windows.usual(server, people["ada"])
    async with Client(server.url, people["ada"].token) as program:
        made = await program.post("/api/v1/threads", {"model": "ollama/hang-headers"})
    await chat.open(f"/threads/{made.json()['id']}")
    await chat.send("Hello?")
    await expect(chat.status).to_contain_text("Waiting for the model…")
    await expect(chat.status).to_have_text(re.compile(r"Still waiting for the model…\s+1\d s"))
    await chat.page.reload()
    await expect(chat.status).to_have_text(re.compile(r"Still waiting for the model…\s+1\d s"), timeout=4000)
    await chat.stop_button.click()
    await chat.ended()
