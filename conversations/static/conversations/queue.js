/** What waits for its turn in the thread that is shown: added, changed and withdrawn here, told of by the feed. */

import { failureFrom, newKey } from "./api.js";
import { withMessage } from "./branch.js";
import { readDraft, saveDraft } from "./preferences.js";

export class Queue {
  /**
   * @param {object} parts
   * @param {import("./store.js").Store} parts.store
   * @param {import("./api.js").Api} parts.api
   * @param {import("./attachments.js").Attachments} parts.files
   * @param {(threadId: string, runId: string) => void} parts.onBegun a message had not to wait after all
   */
  constructor({ store, api, files, onBegun }) {
    this.store = store;
    this.api = api;
    this.files = files;
    this.onBegun = onBegun;
    /** How often the feed has told of it: a page that was asked for before is older. */
    this.told = 0;
    /** What has left the queue: the text of each by its run. @type {Map<string, string>} */
    this.left = new Map();
    /** One after the other, so that they stand in the order in which they were written. */
    this.line = Promise.resolve();
  }

  /** Nothing is known of the thread that is opened. */
  forget() {
    this.left.clear();
    this.store.update({ waiting: [] });
  }

  /** As it was read. @param {Wire.Run[]} waiting @param {number} told how often it had been told of before */
  show(waiting, told) {
    if (told === this.told) this.store.update({ waiting });
  }

  /** What the feed tells of the thread that is shown. @param {Wire.FeedEnvelope} envelope */
  heard({ event, data }) {
    if (event === "thread.queue.updated") this.replace(data.waiting);
    if (event === "thread.run.created") this.begun(data.run);
  }

  /** @param {string} threadId @param {string} content @param {Wire.Attachment[]} attachments @param {string} model */
  add(threadId, content, attachments, model) {
    return this.deliver({ key: newKey(), threadId, content, attachments, model, status: "sending", error: null });
  }

  /** The same again, under the same key. @param {Page.Adding} adding */
  deliver(adding) {
    this.put({ ...adding, status: "sending", error: null }, true);
    this.line = this.line.then(() => this.send(adding));
    return this.line;
  }

  /** It was refused, and shall not be sent. @param {Page.Adding} adding */
  discard(adding) {
    this.drop(adding.key);
    this.handBack(adding.content, stillThere(adding.attachments, adding.error));
  }

  /** The server has it. @param {Wire.Run} run */
  added(run) {
    const { waiting } = this.store.state;
    if (this.left.has(run.id) || waiting.some((one) => one.id === run.id)) return;
    this.store.update({ waiting: [...waiting, run] });
  }

  /** @param {Wire.Run} run @param {string} content @returns {Promise<boolean>} whether the server has it */
  async change(run, content) {
    try {
      const { run: now } = await this.api.patch(`/runs/${run.id}`, { content });
      this.store.update({ waiting: this.store.state.waiting.map((one) => (one.id === now.id ? now : one)) });
      return true;
    } catch (fault) {
      const problem = failureFrom(fault);
      this.store.update({ problem });
      // It has begun as it was: what was written now is not lost.
      if (problem.code === "not_waiting" || problem.code === "not_found") this.handBack(content);
      return false;
    }
  }

  /** Takes it back into the message field. @param {Wire.Run} run @returns {Promise<boolean>} whether it was done */
  async withdraw(run) {
    try {
      const { run: now } = await this.api.post(`/runs/${run.id}/cancel`, {});
      this.store.update({ waiting: this.store.state.waiting.filter((one) => one.id !== run.id) });
      if (!now.user_message_id) this.handBack(run.request?.content ?? "", run.request?.attachments ?? []);
      return true;
    } catch (fault) {
      this.store.update({ problem: failureFrom(fault) });
      return false;
    }
  }

  /** Gives a text back to the message field, with its files, unless something else stands there.
   * @param {string} text @param {Wire.Attachment[]} [files] */
  handBack(text, files = []) {
    const { threadId, handedBack } = this.store.state;
    if (!text || readDraft(threadId)) return;
    this.files.handBack(threadId, files);
    saveDraft(threadId, text);
    this.store.update({ handedBack: handedBack + 1 });
  }

  /** @private @param {Page.Adding} adding */
  async send(adding) {
    const { threadId, content, attachments, model, key } = adding;
    const body = { content, if_busy: "enqueue", ...named(attachments), ...(model ? { model } : {}) };
    const onLost = () => this.put({ ...adding, status: "lost", error: null });
    try {
      const { run } = await this.api.postOnce(`/threads/${threadId}/runs`, body, key, onLost);
      this.drop(key);
      if (threadId !== this.store.state.threadId) return;
      if (run.waiting) this.added(run);
      else this.onBegun(threadId, run.id);
    } catch (fault) {
      this.put({ ...adding, status: "failed", error: failureFrom(fault) });
    }
  }

  /** @private @param {Wire.Run[]} waiting */
  replace(waiting) {
    this.told += 1;
    const before = this.store.state.waiting;
    for (const run of before) {
      if (!waiting.some((one) => one.id === run.id)) this.left.set(run.id, run.request?.content ?? "");
    }
    const fresh = waiting.filter((run) => !before.some((one) => one.id === run.id));
    this.store.update({ waiting });
    // What was sent from here stands here already, and its answer is on its way.
    for (const run of fresh) {
      const mine = this.store.state.adding.find((one) => one.content === run.request?.content);
      if (mine && mine.threadId === run.thread_id) this.drop(mine.key);
    }
  }

  /** Its card becomes the question at once; its run tells the rest. @private @param {Wire.Run} run */
  begun(run) {
    const { messages, threadId } = this.store.state;
    const content = this.left.get(run.id);
    const id = run.user_message_id;
    if (!content || !threadId || !id || messages.some((message) => message.id === id)) return;
    /** @type {Wire.Message} */
    const question = { id, thread_id: threadId, role: "user", status: "completed", content };
    this.store.update({ messages: withMessage(messages, question) });
  }

  /** @private @param {Page.Adding} adding @param {boolean} [fresh] also where it does not stand there yet */
  put(adding, fresh = false) {
    const { adding: all } = this.store.state;
    const at = all.findIndex((one) => one.key === adding.key);
    if (at >= 0) this.store.update({ adding: all.with(at, adding) });
    else if (fresh) this.store.update({ adding: [...all, adding] });
  }

  /** @private @param {string} key */
  drop(key) {
    this.store.update({ adding: this.store.state.adding.filter((one) => one.key !== key) });
  }
}

/** The files of a send, as its body has them. @param {Wire.Attachment[]} files */
export function named(files) {
  return files.length ? { attachments: files.map((file) => file.id) } : {};
}

/** Without those that the server does not know. @param {Wire.Attachment[]} files @param {Wire.Failure | null} error */
export function stillThere(files, error) {
  const gone = error?.code === "attachment_unknown" ? error.details?.ids : null;
  return Array.isArray(gone) ? files.filter((file) => !gone.includes(file.id)) : files;
}
