import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { channels, Locks, settled } from "../support/browser_means.mjs";
import { load } from "../support/modules.mjs";

const { sharedFeed } = await load("streaming/shared_feed.js");

const news = (feed) => ({ event: "thread.deleted", feed, data: { thread_id: "t" } });
let browser;

beforeEach(() => {
  browser = { locks: new Locks(), Channel: channels(), opened: [] };
});

/** A tab whose feed is at `last`; what it hears moves it on, as its follower would. */
function tab(last) {
  const one = { last, seen: [], endings: [], openings: 0 };
  const open = (_, listener) => {
    const stream = { tab: one, after: listener.cursor(), listener, closed: false };
    browser.opened.push(stream);
    return { close: () => (stream.closed = true) };
  };
  const transport = sharedFeed("feed", open, browser.locks, browser.Channel);
  const listener = {
    cursor: () => one.last,
    opened: () => (one.openings += 1),
    heard: () => undefined,
    retry: () => undefined,
    envelope: (envelope) => {
      one.seen.push([envelope.event, envelope.feed]);
      one.last = Math.max(one.last, envelope.feed);
    },
    closed: (ending) => one.endings.push(ending.kind),
  };
  one.join = () => (one.connection = transport(null, listener));
  one.join();
  return one;
}

describe("the feed of several tabs", () => {
  it("is one stream, and all of them hear it", async () => {
    const tabs = [tab(4), tab(4), tab(4)];
    await settled();
    assert.equal(browser.opened.length, 1);
    assert.equal(browser.opened[0].tab, tabs[0]);
    browser.opened[0].listener.opened();
    browser.opened[0].listener.envelope(news(5));
    for (const one of tabs) assert.deepEqual(one.seen, [["thread.deleted", 5]]);
    assert.ok(tabs[1].openings > 0);
  });

  it("goes on in another tab, from where that one is, when its holder leaves", async () => {
    const [first, second] = [tab(4), tab(4)];
    await settled();
    browser.opened[0].listener.envelope(news(5));
    first.connection.close(false);
    await settled();
    assert.deepEqual([browser.opened[0].closed, browser.opened[1].tab, browser.opened[1].after], [true, second, 5]);
  });

  it("goes on in another tab where the holder's connection has ended", async () => {
    const [first, second] = [tab(4), tab(4)];
    await settled();
    browser.opened[0].listener.closed({ kind: "dropped" });
    await settled();
    assert.deepEqual(first.endings, ["dropped"]);
    assert.equal(browser.opened[1].tab, second);
    first.join();
    await settled();
    assert.equal(browser.opened.length, 2);
  });

  it("tells a tab that joins late to load again, and not one that has it all", async () => {
    tab(4);
    await settled();
    browser.opened[0].listener.envelope(news(5));
    const [late, early] = [tab(4), tab(5)];
    assert.deepEqual(late.seen, [["feed.reset", 5]]);
    assert.deepEqual(early.seen, []);
    assert.equal(early.openings, 1);
  });

  it("is taken from a holder that has fallen silent, which then waits for its turn", async () => {
    const [frozen, awake] = [tab(4), tab(4)];
    await settled();
    awake.connection.close(true);
    awake.join();
    await settled();
    assert.deepEqual([browser.opened[1].tab, browser.opened[1].after], [awake, 4]);
    assert.deepEqual([frozen.endings, browser.opened[0].closed], [["ended"], true]);
    browser.opened[1].listener.envelope(news(5));
    frozen.join();
    await settled();
    assert.deepEqual(frozen.seen, [["feed.reset", 5]]);
    assert.equal(browser.opened.length, 2);
  });
});

it("where a browser has no locks each tab has a stream of its own", () => {
  const open = () => undefined;
  assert.equal(sharedFeed("feed", open, undefined, browser.Channel), open);
});
