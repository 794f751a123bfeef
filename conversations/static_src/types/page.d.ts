// What the page keeps; see store.js.

declare namespace Page {
  interface Boot {
    username: string;
    /** See words.js. */
    words: import("../../static/conversations/words.js").Catalogue;
    thread: string | null;
    csrf: { cookie: string; token: string };
    limits: { attachments: number; attachment_bytes: number };
    urls: {
      api: string;
      socket: string;
      home: string;
      threads: string;
      settings: string;
      login: string;
      logout: string;
      password: string;
      email: string;
      /** For the staff. */
      admin: string | null;
      /** For whoever may manage models. */
      models: string | null;
    };
  }

  type TransportChoice = "automatic" | "websocket" | "sse" | "poll";
  type Theme = "system" | "light" | "dark";

  type TextSize = "small" | "normal" | "large" | "largest";

  interface Settings {
    streaming: boolean;
    transport: TransportChoice;
    theme: Theme;
    textSize: TextSize;
    /** When thinking is unfolded by itself: while it runs, always, never. */
    thinking: "while" | "always" | "never";
    /** Whether first-token time, tokens a second and tokens stand under an answer. */
    speed: boolean;
    /** What sends a message; the other makes a new line, as Shift and Enter always does. */
    sendKey: "enter" | "modifier-enter";
    model: string;
    wrapCode: boolean;
  }

  interface ThreadList {
    items: Wire.Thread[];
    next: string | null;
    status: "loading" | "ready" | "failed";
    archived: boolean;
  }

  /** What was done last to a thread. */
  interface Undoable {
    kind: "deleted" | "archived" | "unarchived";
    /** As it became. */
    thread: Wire.Thread;
  }

  /** A send that the server has not answered yet, or has refused. */
  interface Pending {
    threadId: string | null;
    content: string;
    attachments: Wire.Attachment[];
    regenerate: string | null;
    goOn: string | null;
    edit: string | null;
    model: string;
    /** Models that answer beside it. */
    beside: string[];
    /** What a thread that is made for it is to tell. */
    plan: Plan;
    key: string;
    threadKey: string;
    status: "sending" | "lost" | "failed";
    error: Wire.Failure | null;
  }

  /** A message on its way into the queue, or refused. */
  interface Adding {
    key: string;
    threadId: string;
    content: string;
    attachments: Wire.Attachment[];
    model: string;
    status: "sending" | "lost" | "failed";
    error: Wire.Failure | null;
  }

  /** Questions that could follow an answer, as the feed has told them. */
  interface Suggested {
    messageId: string;
    questions: string[];
  }

  /** A file beside what is being written. `error` is a sentence. */
  interface Attached {
    key: string;
    name: string;
    size: number;
    /** How much of it has been sent, 0 to 1. */
    progress: number;
    status: "sending" | "ready" | "refused";
    file: Wire.Attachment | null;
    error: string | null;
  }

  /** A run that is followed now. */
  interface Live {
    runId: string;
    state: import("../../../streaming/static/streaming/snapshot.js").RunState;
    connected: boolean;
    stopping: boolean;
    /** Whether it writes in a version that is not shown. */
    aside: boolean;
  }

  /** What a thread tells every model, and how it is to answer. */
  interface Plan {
    system_prompt: string;
    parameters: Record<string, unknown>;
  }

  interface State {
    settings: Settings;
    threads: ThreadList;
    threadId: string | null;
    thread: Wire.Thread | null;
    /** For the thread that is not there yet. */
    plan: Plan;
    view: "new" | "loading" | "ready" | "missing" | "deleted" | "failed";
    messages: Wire.Message[];
    /** Answers that stand beside the branch; see versions.js. */
    alongside: Record<string, Wire.Message>;
    versions: Record<string, string[]>;
    steps: Record<string, Wire.Step>;
    runs: Record<string, Wire.Run>;
    older: string | null;
    /** The runs of the thread that go on, by lane. */
    lives: Live[];
    /** The first of them that writes in what is shown. */
    live: Live | null;
    pending: Pending | null;
    suggested: Suggested | null;
    /** What waits for its turn in the shown thread. */
    waiting: Wire.Run[];
    adding: Adding[];
    attached: Attached[];
    /** How often a text was given back to the message field. */
    handedBack: number;
    models: Wire.Models | null;
    model: string;
    /** Models that answer the next message beside the chosen one; three at most. */
    beside: string[];
    problem: Wire.Failure | null;
    undoable: Undoable | null;
    signedOut: boolean;
  }
}
