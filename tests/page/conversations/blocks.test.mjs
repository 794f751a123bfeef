import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { useDocument } from "../support/dom.mjs";
import { load } from "../support/modules.mjs";

useDocument();
const { finishedLength, openFence } = await load("conversations/blocks.js");
const { GrowingCode } = await load("conversations/growing_code.js");
const { parser, render } = await load("conversations/markdown.js");

const TEXTS = {
  "paragraphs": "One\ntwo.\n\nThree.\n\nFour",
  "a hashtag after a paragraph": "One\n#hashtag\n\n# Heading\ntext",
  "bold that begins like a rule": "One\n***bold***\n\n***\n\ntwo",
  "a heading underlined": "Title\n=====\n\nText\n---\nmore",
  "lists": "- a\n- b\n\n  more of b\n\n  - c\n\n1. x\n2. y\n\nend",
  "two kinds of list": "- a\n* b\n+ c\n\n**bold**",
  "a fence": "before\n\n```python\nx = 1\n\n# not a heading\n- not a list\n```\nafter\n\nend",
  "a fence in a list": "1. do\n\n   ```sh\n   ls\n\n   pwd\n   ```\n\n2. done\n\nend",
  "an open fence": "text\n\n~~~\n```\nstill code\n",
  "inline code that begins like a fence": "a\n```x``` b\n\nc",
  "a table": "intro\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\nafter",
  "a table right after a line": "intro\na | b\n---|---\n1 | 2\n\nafter",
  "quotations": "> a\nlazy\n\n> b\n> - c\n\nd",
  "indented code": "a\n\n    code\n\n    more\n\nb",
  "html as text": "<div>\n\n*x*\n\n</div>",
};

/** What the page does with a growing text: finished blocks are kept, the open one is rendered at every step. */
function grown(text, step) {
  const environment = {};
  const kept = document.createElement("div");
  let done = 0;
  for (let end = step; end < text.length + step; end += step) {
    const so = text.slice(0, end);
    const finished = finishedLength(parser, so.slice(done), environment);
    kept.append(render(so.slice(done, done + finished), environment));
    done += finished;
  }
  kept.append(render(text.slice(done), environment));
  return kept.innerHTML;
}

function whole(text) {
  const element = document.createElement("div");
  element.append(render(text, {}));
  return element.innerHTML;
}

const tidy = (html) => html.replace(/>\s+</g, "><").trim();

describe("a text rendered while it grows looks in the end like the whole:", () => {
  for (const [name, text] of Object.entries(TEXTS)) {
    it(name, () => {
      for (const step of [1, 2, 3, 7, 50]) assert.equal(tidy(grown(text, step)), tidy(whole(text)), `in steps of ${step}`);
    });
  }
});

describe("what is finished", () => {
  const finished = (text) => text.slice(0, finishedLength(parser, text, {}));

  it("is nothing of a single block", () => {
    assert.equal(finished("One\ntwo\nthree\n"), "");
    assert.equal(finished(""), "");
  });

  it("is all before the last block", () => {
    assert.equal(finished("One\n\nTwo\n\nThree\n"), "One\n\nTwo\n\n");
  });

  it("is not decided by half a line", () => {
    assert.equal(finished("One\n#"), "");
    assert.equal(finished("One\n# T\n"), "One\n");
  });
});

describe("code that is still being written", () => {
  it("is seen by its first line, until its fence is closed", () => {
    assert.deepEqual(openFence("```python\nx = 1\n"), { fence: "```python", begins: 10 });
    assert.deepEqual(openFence("~~~~\n```\n~~~\n"), { fence: "~~~~", begins: 5 });
    assert.equal(openFence("```python\nx = 1\n```"), null);
    assert.equal(openFence("```\nx\n  ````  \nafter"), null);
    assert.deepEqual(openFence("```\nx\n    ```\n"), { fence: "```", begins: 4 });
  });

  it("is no other text", () => {
    for (const text of ["```python", "```x``` b\n", "text\n```\n", "> ```\n> x\n", "", "   ```\nx"]) {
      assert.equal(openFence(text), null, text);
    }
  });

  it("is finished as soon as it is closed", () => {
    assert.equal(finishedLength(parser, "```\nx\n```\n", {}), 10);
    assert.equal(finishedLength(parser, "```\n```\n", {}), 8);
    assert.equal(finishedLength(parser, "```\nx\n```", {}), 0);
    assert.equal(finishedLength(parser, "```\nx\n", {}), 0);
    assert.equal(finishedLength(parser, "a\n\n```\nx\n```\n", {}), 13);
  });

  it("says at every moment what has come, and nothing is made anew but its last lines", () => {
    const code = Array.from({ length: 130 }, (_, at) => `def f${at}(x):  # "${at}"\n    return """${at}\n`).join("\n");
    const growing = new GrowingCode("```python", 10);
    const place = document.createElement("div");
    place.append(growing.fragment);
    const text = `\`\`\`python\n${code}`;
    let first = null;
    for (let end = 10; end < text.length; end += 37) {
      growing.show(text.slice(0, end));
      assert.equal(place.querySelector("code").textContent, text.slice(10, end));
      first ??= growing.settled > 10 ? place.querySelector("code").firstChild : null;
    }
    assert.ok(first);
    assert.equal(place.querySelector("code").firstChild, first);
    assert.ok(place.querySelector(".code-head"));
  });
});
