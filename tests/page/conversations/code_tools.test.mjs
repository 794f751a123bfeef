import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { useDocument } from "../support/dom.mjs";
import { load } from "../support/modules.mjs";

useDocument();
const { fileName } = await load("conversations/code_tools.js");

describe("a file's name for code", () => {
  const names = {
    python: "code.py",
    TypeScript: "code.ts",
    go: "code.go",
    "c++": "code.cpp",
    Dockerfile: "Dockerfile",
    sql: "code.sql",
    "": "code.txt",
    text: "code.txt",
    "../../etc/passwd": "code.txt",
    "a language nobody knows": "code.txt",
    constructor: "code.txt",
  };
  for (const [language, name] of Object.entries(names)) {
    it(`${JSON.stringify(language)} is ${name}`, () => assert.equal(fileName(language), name));
  }
});
