// What the frame of a diagram finds in its page; see static_src/classic/mermaid.js.

declare const mermaid: {
  initialize(configuration: object): void;
  render(id: string, source: string): Promise<{ svg: string }>;
};
