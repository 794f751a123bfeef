import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { useDocument } from "../support/dom.mjs";
import { load } from "../support/modules.mjs";

useDocument();
const { FewAtOnce, answerOf, fittingHeight, isDiagram, reservedHeight } = await load("conversations/diagrams.js");
const { parser, render } = await load("conversations/markdown.js");

describe("a fence is a diagram", () => {
  const GRAPH = "```mermaid\ngraph TD\n\n  A --> B\n```";
  const cases = {
    "when it is whole": [GRAPH, true],
    "and text goes on": [`${GRAPH}\nand on`, true],
    "in a list": [`- a\n\n  ${GRAPH.replaceAll("\n", "\n  ")}\n- b`, true],
    "in tildes": ["~~~~ mermaid and more\ngraph\n~~~~", true],
    "not while its end is missing": [GRAPH.slice(0, -4), false],
    "nor with the break before it": [GRAPH.slice(0, -3), false],
    "nor with half of it": [GRAPH.slice(0, -1), false],
    "not with a first line alone": ["```mermaid", false],
    "not when it is empty": ["```mermaid\n\n```", false],
    "not in another language": ["```js\ngraph\n```", false],
    "not in one that begins alike": ["```mermaids\ngraph\n```", false],
  };
  for (const [name, [text, expected]] of Object.entries(cases)) {
    it(name, () => {
      const fence = parser.parse(text, {}).find((token) => token.type === "fence");
      assert.equal(isDiagram(fence), expected);
    });
  }

  it("at the letter that ends it, and from then on", () => {
    for (let length = 1; length <= GRAPH.length; length += 1) {
      const drawn = render(GRAPH.slice(0, length), {}).querySelectorAll("mermaid-diagram").length;
      assert.equal(drawn, length === GRAPH.length ? 1 : 0, `after ${length}`);
    }
  });

  it("keeps its source as the code that it is", () => {
    const source = 'graph TD\n  A["<img src=x onerror=alert(1)>"]\n';
    const diagram = render(`\`\`\`mermaid\n${source}\`\`\``, {}).querySelector("mermaid-diagram");
    assert.equal(diagram.querySelector(".code-block pre code").textContent, source);
    assert.equal(diagram.querySelectorAll("img").length, 0);
    assert.equal(diagram.getAttributeNames().length, 0);
  });

  it("and nothing else makes one", () => {
    const text = '<div class="drawable">a</div>\n\n<mermaid-diagram>b</mermaid-diagram>\n\n`mermaid`';
    assert.equal(render(text, {}).querySelectorAll("mermaid-diagram, .drawable").length, 0);
  });
});

describe("the room for a diagram", () => {
  it("grows with its source, within bounds", () => {
    const heights = [1, 3, 5, 1000].map((lines) => reservedHeight("a\n".repeat(lines)));
    assert.deepEqual(heights, [220, 260, 380, 520]);
    const sideways = ["graph LR", "flowchart RL", "pie", "%% words\ntimeline"];
    assert.deepEqual(sideways.map((first) => reservedHeight(first + "\na".repeat(10))), [300, 300, 300, 316]);
  });

  it("is the drawing's and the line above it, within bounds", () => {
    assert.deepEqual([1, 300, 10_000].map(fittingHeight), [220, 364, 520]);
  });
});

describe("what a frame says", () => {
  it("is that it is ready, a size, or a reason", () => {
    assert.deepEqual(answerOf({ kind: "ready", more: 1 }), { kind: "ready" });
    assert.deepEqual(answerOf({ kind: "drawn", turn: 1, width: 10.4, height: 20 }), {
      kind: "drawn", turn: 1, width: 10, height: 20,
    });
    assert.deepEqual(answerOf({ kind: "failed", turn: 2, reason: "r" }), { kind: "failed", turn: 2, reason: "r" });
  });

  it("is held within bounds", () => {
    const { width, height } = answerOf({ kind: "drawn", turn: 1, width: -5, height: 1e300 });
    assert.deepEqual([width, height], [1, 20_000]);
    assert.equal(answerOf({ kind: "failed", turn: 1, reason: "r".repeat(1000) }).reason.length, 300);
  });

  it("is a reason of one line", () => {
    assert.equal(answerOf({ kind: "failed", turn: 1, reason: "Wrong on line 2:\nA -->\n----^" }).reason, "Wrong on line 2");
  });

  const drawn = { kind: "drawn", turn: 1, width: 1, height: 1 };
  const others = [
    null, undefined, "ready", 1, [], {}, { kind: "other", turn: 1 }, { ...drawn, turn: "1" }, { ...drawn, turn: NaN },
    { ...drawn, width: "1" }, { ...drawn, height: Infinity }, { ...drawn, height: null },
    { kind: "failed", turn: 1, reason: { toString: () => "r" } }, { kind: "failed", reason: "r" },
  ];
  for (const other of others) it(`is not ${JSON.stringify(other)}`, () => assert.equal(answerOf(other), null));
});

describe("a few at once", () => {
  function four() {
    const log = [];
    const places = new FewAtOnce(2);
    const holders = ["a", "b", "c", "d"].map((name) => ({
      enter: () => log.push(`+${name}`),
      leave: () => log.push(`-${name}`),
    }));
    return { log, places, holders };
  }

  it("have a place, and others wait for one that is free", () => {
    const { log, places, holders: [a, b, c, d] } = four();
    for (const each of [a, b, c, d]) places.near(each);
    assert.deepEqual(log, ["+a", "+b"]);
    places.gone(a);
    assert.deepEqual(log, ["+a", "+b", "+c"]);
    places.gone(d);
    places.gone(b);
    assert.deepEqual(log, ["+a", "+b", "+c"]);
  });

  it("keep it while they are far, until another needs it", () => {
    const { log, places, holders: [a, b, c] } = four();
    places.near(a);
    places.near(b);
    places.far(a);
    assert.deepEqual(log, ["+a", "+b"]);
    places.near(c);
    assert.deepEqual(log, ["+a", "+b", "-a", "+c"]);
  });

  it("lose none that came near again", () => {
    const { log, places, holders: [a, b, c] } = four();
    places.near(a);
    places.near(b);
    places.far(a);
    places.near(a);
    places.near(c);
    assert.deepEqual(log, ["+a", "+b"]);
    places.far(b);
    assert.deepEqual(log, ["+a", "+b", "-b", "+c"]);
  });

  it("and who is far again before there was one gets none", () => {
    const { log, places, holders: [a, b, c] } = four();
    for (const each of [a, b, c]) places.near(each);
    places.far(c);
    places.gone(a);
    assert.deepEqual(log, ["+a", "+b"]);
  });
});
