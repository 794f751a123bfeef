/** The page's one state. It is replaced, never changed in place; listeners are told at most once a frame. */

export class Store {
  /** @param {Page.State} state */
  constructor(state) {
    this.state = state;
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    this.scheduled = false;
  }

  /** @param {Partial<Page.State>} patch */
  update(patch) {
    this.state = { ...this.state, ...patch };
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      for (const listener of this.listeners) listener();
    });
  }

  /** @param {() => void} listener @returns {() => void} ends it */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

/** @param {Page.Settings} settings @returns {Page.State} */
export function initialState(settings) {
  return {
    settings,
    threads: { items: [], next: null, status: "loading", archived: false },
    threadId: null,
    thread: null,
    plan: { system_prompt: "", parameters: {} },
    view: "new",
    messages: [],
    alongside: {},
    versions: {},
    steps: {},
    runs: {},
    older: null,
    lives: [],
    live: null,
    pending: null,
    suggested: null,
    waiting: [],
    adding: [],
    attached: [],
    handedBack: 0,
    models: null,
    model: settings.model,
    beside: [],
    problem: null,
    undoable: null,
    signedOut: false,
  };
}
