export { default, type StateBlock, type StateInline, type MarkdownIt } from "markdown-it";
