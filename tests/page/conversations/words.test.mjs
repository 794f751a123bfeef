import assert from "node:assert/strict";
import test from "node:test";
import { around, gettext, ngettext, Words } from "../../../conversations/static/conversations/words.js";

// As Polish has them: one, a few (2 to 4, not 12 to 14), many.
const polish = (n) => (n === 1 ? 0 : n % 10 >= 2 && n % 10 <= 4 && (n % 100 < 12 || n % 100 > 14) ? 1 : 2);
const words = new Words({
  texts: { Stop: "Zatrzymaj", "%(count)s page": ["%(count)s strona", "%(count)s strony", "%(count)s stron"] },
  forms: Array.from({ length: 200 }, (_, n) => polish(n)).join(""),
});

test("a text is said in the page's language", () => {
  assert.equal(words.gettext("Stop"), "Zatrzymaj");
});

test("what has no translation is its own text", () => {
  assert.equal(words.gettext("Continue"), "Continue");
  assert.equal(words.ngettext("%(count)s file", "%(count)s files", 2), "2 files");
  assert.equal(ngettext("%(count)s file", "%(count)s files", 1), "1 file");
});

test("the form is the one for the number, as far as numbers go", () => {
  for (const count of [0, 1, 2, 5, 12, 22, 112, 122, 199, 200, 201, 202, 212, 222]) {
    const form = ["strona", "strony", "stron"][polish(count)];
    assert.equal(words.ngettext("%(count)s page", "%(count)s pages", count), `${count} ${form}`);
  }
});

test("values stand where their names are, and are never looked into", () => {
  assert.equal(gettext("%(a)s and %(b)s", { a: "%(b)s", b: 2 }), "%(b)s and 2");
  assert.equal(gettext("100 % of %(what)s", {}), "100 % of %(what)s");
});

test("what is more than text stands where the language has it", () => {
  const name = { more: "than text" };
  assert.deepEqual(around("“%(title)s” by %(name)s.", { name, title: "%(name)s" }), ["“", "%(name)s", "” by ", name, "."]);
});
