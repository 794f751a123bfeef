import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "../support/modules.mjs";

const { Session, newMemory } = await load("streaming/session.js");
const ALL = ["websocket", "sse", "poll"];
const open = (transport, snapshot = false) => ({ do: "open", transport, snapshot });
const CLOSE = { do: "close", stalled: false };
const DROP = { do: "close", stalled: true };

function session({ transports = ALL, memory = newMemory(), random = () => 0.5 } = {}) {
  return new Session({ transports, memory, random });
}

function liveOn(transport, options = {}) {
  const one = session({ ...options, transports: [transport, ...ALL.filter((other) => other !== transport)] });
  one.start(0);
  one.opened(0);
  return one;
}

describe("a session begins", () => {
  it("with the first transport", () => {
    assert.deepEqual(session().start(0), [open("websocket")]);
  });

  it("once", () => {
    const one = session();
    one.start(0);
    assert.deepEqual(one.start(1), []);
  });

  it("without a transport that is known not to work here", () => {
    const memory = { proven: new Set(["sse"]), broken: new Set(["websocket"]) };
    assert.deepEqual(session({ memory }).start(0), [open("sse")]);
  });
});

describe("a socket that cannot be opened", () => {
  it("makes way for the next transport at once", () => {
    const one = session();
    one.start(0);
    assert.deepEqual(one.closed({ kind: "unreachable" }, 10), [open("sse")]);
  });

  it("is not tried again after another transport has worked", () => {
    const memory = newMemory();
    const one = session({ memory });
    one.start(0);
    one.closed({ kind: "unreachable" }, 10);
    one.opened(20);
    assert.deepEqual(session({ memory }).start(30), [open("sse")]);
  });

  it("is tried three times where it has worked before", () => {
    const one = liveOn("websocket");
    one.closed({ kind: "dropped" }, 10);
    for (let tries = 0; tries < 2; tries += 1) {
      assert.deepEqual(one.tick(one.deadline), [open("websocket")]);
      assert.deepEqual(one.closed({ kind: "unreachable" }, one.heardAt), []);
    }
    one.tick(one.deadline);
    assert.deepEqual(one.closed({ kind: "unreachable" }, one.heardAt), [open("sse")]);
  });
});

describe("when the server is away", () => {
  it("the session waits, and begins again with the best transport", () => {
    const one = session();
    one.start(0);
    one.closed({ kind: "unreachable" }, 10);
    assert.deepEqual(one.closed({ kind: "unreachable" }, 20), []);
    assert.equal(one.phase, "waiting");
    assert.deepEqual(one.tick(one.deadline), [open("websocket")]);
  });

  it("waits grow with full jitter up to thirty seconds", () => {
    const waits = (random) => {
      const one = liveOn("sse", { random: () => random });
      const found = [];
      for (let tries = 0; tries < 10; tries += 1) {
        one.closed({ kind: "dropped" }, 0);
        found.push(one.deadline);
        one.tick(one.deadline);
      }
      return found;
    };
    assert.deepEqual(new Set(waits(0)), new Set([500]));
    const longest = waits(0.999999).map(Math.round);
    assert.deepEqual(longest.slice(0, 4), [1000, 2000, 4000, 8000]);
    assert.equal(longest.at(-1), 30_000);
  });

  it("a wait is at least what the server asked for", () => {
    const one = liveOn("sse");
    one.retry(7000);
    one.closed({ kind: "ended" }, 100);
    assert.equal(one.deadline, 7100);
    const other = liveOn("sse");
    other.closed({ kind: "busy", retryAfter: 9000 }, 100);
    assert.equal(other.deadline, 9100);
  });

  it("an applied event makes the next wait short again", () => {
    const one = liveOn("sse", { random: () => 0.999999 });
    one.closed({ kind: "dropped" }, 0);
    one.tick(one.deadline);
    one.opened(2000);
    one.event("applied", false, 2000);
    one.closed({ kind: "dropped" }, 2000);
    assert.ok(one.deadline <= 3000);
  });

  it("a restart is waited out for up to five seconds", () => {
    const one = liveOn("websocket", { random: () => 1 });
    one.closed({ kind: "restart" }, 0);
    assert.equal(one.deadline, 5000);
  });
});

describe("a connection that says nothing", () => {
  it("is given up after two heartbeats for the next transport", () => {
    const one = liveOn("sse");
    assert.deepEqual(one.tick(34_999), []);
    assert.deepEqual(one.tick(35_000), [DROP, open("websocket")]);
  });

  it("is kept while there are heartbeats", () => {
    const one = liveOn("sse");
    one.heard(30_000);
    assert.deepEqual(one.tick(35_000), []);
    assert.equal(one.deadline, 65_000);
  });

  it("is given up while opening, too", () => {
    const one = session();
    one.start(0);
    assert.deepEqual(one.tick(8000), [DROP, open("sse")]);
    assert.deepEqual(one.tick(18_000), [DROP, open("poll")]);
    assert.deepEqual(one.tick(58_000), [DROP]);
    assert.equal(one.phase, "waiting");
  });

  it("changes nothing in the middle but the transport: no snapshot is asked for", () => {
    const one = liveOn("websocket");
    one.event("applied", false, 10);
    assert.deepEqual(one.tick(35_010), [DROP, open("sse", false)]);
  });
});

describe("events", () => {
  it("that end the run end the session", () => {
    const one = liveOn("sse");
    assert.deepEqual(one.event("applied", true, 5), [CLOSE, { do: "finish", reason: "terminal" }]);
    assert.deepEqual(one.closed({ kind: "ended" }, 6), []);
    assert.deepEqual(one.wake(7), []);
    assert.equal(one.deadline, Infinity);
  });

  it("with a gap between them lead to a snapshot, until one is applied", () => {
    const one = liveOn("sse");
    assert.deepEqual(one.event("gap", false, 5), [CLOSE, open("sse", true)]);
    one.opened(6);
    one.event("applied", false, 7);
    one.closed({ kind: "dropped" }, 8);
    assert.deepEqual(one.tick(one.deadline), [open("sse", false)]);
  });
});

describe("the server's last words", () => {
  for (const kind of ["over", "gone", "signed_out"]) {
    it(`"${kind}" end the session`, () => {
      assert.deepEqual(liveOn("sse").closed({ kind }, 5), [CLOSE, { do: "finish", reason: kind }]);
    });
  }

  it("about a bad cursor lead to a snapshot once, then to the end", () => {
    const one = liveOn("sse");
    assert.deepEqual(one.closed({ kind: "bad_cursor" }, 5), [open("sse", true)]);
    assert.deepEqual(one.closed({ kind: "bad_cursor" }, 6), [CLOSE, { do: "finish", reason: "gone" }]);
  });

  it("that a transport will not do lead to the next", () => {
    assert.deepEqual(liveOn("websocket").closed({ kind: "refused" }, 5), [open("sse")]);
  });
});

describe("a page that is looked at again", () => {
  it("does not sit out a wait", () => {
    const one = liveOn("sse");
    one.closed({ kind: "dropped" }, 0);
    assert.deepEqual(one.wake(1), [open("sse")]);
  });

  it("does not trust a connection that was silent", () => {
    const one = liveOn("websocket");
    assert.deepEqual(one.wake(30_000), []);
    assert.deepEqual(one.wake(30_001), [DROP, open("websocket")]);
  });

  it("takes its stream up again, which was dropped while it was hidden", () => {
    const one = liveOn("sse");
    assert.deepEqual(one.hide(), [CLOSE]);
    assert.equal(one.deadline, Infinity);
    assert.deepEqual(one.wake(99), [open("sse")]);
  });

  it("does not poll while nobody looks", () => {
    assert.deepEqual(liveOn("poll").hide(), [CLOSE]);
  });

  it("has kept its socket", () => {
    assert.deepEqual(liveOn("websocket").hide(), []);
  });
});

it("a session whose send came over the socket is live at once", () => {
  const one = session();
  one.adopt(5);
  assert.equal(one.phase, "live");
  assert.equal(one.transport, "websocket");
});

it("a stopped session does nothing more", () => {
  const one = liveOn("sse");
  assert.deepEqual(one.stop(), [CLOSE]);
  assert.deepEqual(one.closed({ kind: "dropped" }, 1), []);
  assert.deepEqual(one.tick(1e9), []);
  assert.deepEqual(one.stop(), []);
});
