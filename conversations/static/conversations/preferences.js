/** Settings and drafts of this browser, in its local storage. Where that is refused, they last as long as the page. */

const SETTINGS = "chat.settings";
const DRAFT = "chat.draft.";
const PLAN = "chat.plan";
const DRAFT_FILES = "chat.files.";

/** Told to the window when settings have changed here; other tabs hear of it as `storage`. */
export const CHANGED = "chat-settings";

/** @type {Page.Settings} */
const DEFAULTS = {
  streaming: true,
  transport: "automatic",
  theme: "system",
  textSize: "normal",
  thinking: "while",
  speed: true,
  sendKey: "enter",
  model: "",
  wrapCode: false,
};

/** @returns {Page.Settings} */
export function readSettings() {
  try {
    return { ...DEFAULTS, ...JSON.parse(read(SETTINGS) || "{}") };
  } catch {
    return { ...DEFAULTS };
  }
}

/** @param {Partial<Page.Settings>} patch */
export function saveSettings(patch) {
  write(SETTINGS, JSON.stringify({ ...readSettings(), ...patch }));
  globalThis.dispatchEvent?.(new Event(CHANGED));
}

/** @param {() => void} changed whenever settings have changed, in this tab or in another */
export function onSettings(changed) {
  addEventListener(CHANGED, changed);
  addEventListener("storage", ({ key }) => {
    if (key === null || key === SETTINGS) changed();
  });
}

/** @param {string | null} threadId null for the thread that is not there yet */
export function readDraft(threadId) {
  return read(DRAFT + (threadId ?? "new"));
}

/** @param {string | null} threadId @param {string} text */
export function saveDraft(threadId, text) {
  write(DRAFT + (threadId ?? "new"), text);
}

/** @param {string | null} threadId @returns {Wire.Attachment[]} files of the draft that the server has */
export function readDraftFiles(threadId) {
  try {
    return JSON.parse(read(DRAFT_FILES + (threadId ?? "new")) || "[]");
  } catch {
    return [];
  }
}

/** @param {string | null} threadId @param {Wire.Attachment[]} files */
export function saveDraftFiles(threadId, files) {
  write(DRAFT_FILES + (threadId ?? "new"), files.length ? JSON.stringify(files) : "");
}

/** Of the thread that is not there yet. @returns {Page.Plan} */
export function readPlan() {
  try {
    return { system_prompt: "", parameters: {}, ...JSON.parse(read(PLAN) || "{}") };
  } catch {
    return { system_prompt: "", parameters: {} };
  }
}

/** @param {Page.Plan | null} plan */
export function savePlan(plan) {
  write(PLAN, plan ? JSON.stringify(plan) : "");
}

/** @type {Map<string, string>} */
const memory = new Map();

/** @param {string} name */
function read(name) {
  try {
    return localStorage.getItem(name) ?? memory.get(name) ?? "";
  } catch {
    return memory.get(name) ?? "";
  }
}

/** @param {string} name @param {string} value */
function write(name, value) {
  memory.set(name, value);
  try {
    if (value) localStorage.setItem(name, value);
    else localStorage.removeItem(name);
  } catch {
    // Private windows and full storage: the page's own memory has it.
  }
}
