import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { useDocument } from "../support/dom.mjs";
import { load } from "../support/modules.mjs";

useDocument();
const { parser, render } = await load("conversations/markdown.js");
const tex = await load("conversations/tex.js");

function rendered(text, environment = {}) {
  const element = document.createElement("div");
  element.append(render(text, environment));
  return element;
}

/** The TeX of the formulas that were found: before the library is there, the source stands in their place. */
function formulas(text) {
  return [...rendered(text).querySelectorAll(".math-source")].map((source) => source.textContent);
}

describe("where formulas are", () => {
  const found = {
    "a $x^2$ b": ["x^2"],
    "a \\(x^2\\) b": ["x^2"],
    "$$x^2$$": ["x^2"],
    "\\[x^2\\]": ["x^2"],
    "a $$x$$ b": ["x"],
    "$$\nx\n\ny\n$$": ["x\n\ny"],
    "\\[\n\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}\n\\]": ["\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}"],
    "- one\n  $$\n  x\n  $$": ["x"],
    "> $$x$$": ["x"],
    "a paragraph\n$$\nx\n$$": ["x"],
    "$a_1$ and $b_2$": ["a_1", "b_2"],
    "$a\\$b$": ["a\\$b"],
    "**$x_1$ and _$y_2$_**": ["x_1", "y_2"],
    "| $x$ |\n|---|\n| $y$ |": ["x", "y"],
  };
  for (const [text, expected] of Object.entries(found)) {
    it(JSON.stringify(text), () => assert.deepEqual(formulas(text), expected));
  }

  const none = [
    "It costs $5 and $10.",
    "between $5-$10",
    "US$ 5 or $ 5",
    "an \\$escaped\\$ one",
    "`$x$`",
    "```\n$x$\n```",
    "    $$x$$",
    "$x",
    "$$",
    "\\(x",
    "a line with \\[ alone",
    "$x\n\ny$",
    "$HOME/bin:$PATH",
    "\\\\(x\\\\)",
  ];
  for (const text of none) {
    it(`none in ${JSON.stringify(text)}`, () => assert.deepEqual(formulas(text).filter((each) => each !== "$$"), []));
  }

  it("leaves the text around them as it was", () => {
    assert.equal(rendered("costs $5, $x$ is _more_").textContent.trim(), "costs $5, x is more");
  });

  it("shows one that is not closed yet as it stands", () => {
    assert.deepEqual(formulas("so\n\n$$\n\\frac{1}{"), ["$$\\frac{1}{"]);
  });
});

describe("how they are set", () => {
  it("asks for the library where there is one, and only there", () => {
    const environment = {};
    rendered("none", environment);
    assert.equal(environment.awaitsMath, undefined);
    rendered("$x$", environment);
    assert.equal(environment.awaitsMath, true);
  });

  it("makes MathML of them", async () => {
    await tex.atHand();
    const element = rendered("$\\frac{a}{b}$ and\n\n$$\\sum_{i=1}^n i$$");
    const [small, large] = element.querySelectorAll("math");
    assert.equal(small.namespaceURI, "http://www.w3.org/1998/Math/MathML");
    assert.ok(small.querySelector("mfrac"));
    assert.equal(small.getAttribute("display"), null);
    assert.equal(large.getAttribute("display"), "block");
    assert.ok(large.closest(".math-block"));
    assert.equal(element.querySelectorAll("[style], annotation, .katex-error").length, 0);
  });

  it("has the letters of an alphabet themselves, which few browsers make of a wish", async () => {
    await tex.atHand();
    const letters = (source) => rendered(`$${source}$`).querySelector("math").textContent;
    assert.equal(letters("\\mathbb{RNx1}"), "ℝℕ𝕩𝟙");
    assert.equal(letters("\\mathcal{LA}"), "ℒ𝒜");
    assert.equal(letters("\\mathfrak{Cg}"), "ℭ𝔤");
    assert.equal(letters("\\mathbf{x2}"), "𝐱𝟐");
    assert.equal(letters("\\boldsymbol{\\alpha}\\mathbf{\\Omega}"), "𝜶𝛀");
    assert.equal(letters("\\mathtt{a}\\mathsf{b}"), "𝚊𝖻");
    assert.equal(letters("\\mathrm{d}x"), "dx");
  });

  it("loses nothing of what the library nests", async () => {
    await tex.atHand();
    const shown = (source) => {
      const element = rendered(`$${source}$`);
      assert.equal(element.querySelectorAll("mi > *, mo > *, mn > *, mtext > *").length, 0, source);
      return element.querySelector("math").textContent.replaceAll(/[\s\u2061\u200b]/g, "");
    };
    assert.equal(shown("\\boldsymbol{a+b}"), "𝒂+𝒃");
    assert.equal(shown("\\mathop{\\mathrm{arg\\,max}}_x f"), "argmaxxf");
    assert.equal(shown("\\operatorname*{lim\\,sup}_n a"), "limsupna");
    assert.equal(shown("\\text{if \\(x\\) is }y"), "ifxisy");
    assert.equal(shown("\\mathrel{\\overset{!}{=}} \\mathbin{\\frac{a}{b}}"), "=!ab");
  });

  it("tells each cell of a table what its column is like", async () => {
    await tex.atHand();
    const cells = rendered("$$\\begin{aligned} f &= a \\\\ g &= b \\end{aligned}$$").querySelectorAll("mtd");
    const expected = ["align-right joins-right", "align-left joins-left"];
    assert.deepEqual(Array.from(cells, (cell) => cell.className ?? cell.getAttribute("class")), [...expected, ...expected]);
    const plain = rendered("$$\\begin{pmatrix} a & b \\end{pmatrix}$$").querySelectorAll("mtd");
    assert.deepEqual(Array.from(plain, (cell) => cell.getAttribute("class")), [null, null]);
  });

  it("leaves the source where it is no TeX, or too long to be read", async () => {
    await tex.atHand();
    assert.deepEqual(formulas("$\\frac{$"), ["\\frac{"]);
    assert.deepEqual(formulas(`$${"x".repeat(6000)}$`).length, 1);
  });

  it("is no way into the page, and comes to an end", async () => {
    await tex.atHand();
    const attacks = [
      "$\\href{javascript:alert(1)}{x}$",
      "$\\url{javascript:alert(1)}$",
      "$\\includegraphics{https://evil.example/a.png}$",
      "$\\htmlClass{hljs}{x}$",
      "$\\htmlStyle{position:fixed}{x}$",
      "$\\htmlData{x=y}{x}$",
      "$\\htmlId{send}{x}$",
      "$\\text{<img src=x onerror=alert(1)>}$",
      "$\\unicode{x3c}script$",
      "$$\\def\\x{\\x\\x}\\x$$",
      "$$\\rule{99999em}{99999em}$$",
      `$${"{".repeat(2000)}x${"}".repeat(2000)}$`,
      `$${"\\sqrt{".repeat(400)}x${"}".repeat(400)}$`,
    ];
    for (const attack of attacks) {
      const element = rendered(attack);
      assert.equal(element.querySelectorAll("script, img, a, iframe, style, [style], [id], [href]").length, 0, attack);
      for (const node of element.querySelectorAll("*")) {
        for (const { name } of node.attributes) assert.ok(!name.startsWith("on"), attack);
      }
    }
  });

  it("never grows beyond what was written", async () => {
    await tex.atHand();
    for (const define of ["\\def\\a", "\\gdef\\a", "\\edef\\a", "\\newcommand\\a", "\\providecommand\\a"]) {
      assert.ok(tex.formula(`${define}{${"x".repeat(2000)}}${"\\a".repeat(290)}`, true) === null, define);
    }
    assert.ok(tex.formula("\\leftarrow x", true));
  });

  it("takes no square of the time for beginnings without an end", () => {
    const seconds = (count) => {
      const begun = performance.now();
      parser.render(`w ${"\\(".repeat(count)}`, {});
      return performance.now() - begun;
    };
    seconds(5_000);
    assert.ok(seconds(40_000) < 20 * Math.max(seconds(8_000), 20));
  });
});
