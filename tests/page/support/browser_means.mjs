/** Web Locks and BroadcastChannel for several tabs in one process. */

/** The locks of one browser, as the standard has them: a queue for each name, shared and exclusive. */
export class Locks {
  constructor() {
    this.held = [];
    this.waiting = [];
  }

  request(name, options, work) {
    return new Promise((resolve, reject) => {
      const lock = { name, mode: options.mode ?? "exclusive", work, resolve, reject };
      if (options.steal) {
        for (const other of this.held.filter((one) => one.name === name)) {
          this.held.splice(this.held.indexOf(other), 1);
          other.reject(new DOMException("stolen", "AbortError"));
        }
        return this.grant(lock);
      }
      if (options.ifAvailable && !this.isFree(lock)) return Promise.resolve(work(null)).then(resolve, reject);
      options.signal?.addEventListener("abort", () => {
        const at = this.waiting.indexOf(lock);
        if (at < 0) return;
        this.waiting.splice(at, 1);
        reject(new DOMException("gone", "AbortError"));
      });
      this.waiting.push(lock);
      this.next();
    });
  }

  async query() {
    return { held: this.held.map(({ name, mode }) => ({ name, mode })), pending: [] };
  }

  isFree({ name, mode }) {
    return this.held.every((one) => one.name !== name || (one.mode === "shared" && mode === "shared"));
  }

  next() {
    for (const lock of [...this.waiting]) {
      if (!this.isFree(lock)) continue;
      this.waiting.splice(this.waiting.indexOf(lock), 1);
      this.grant(lock);
    }
  }

  grant(lock) {
    this.held.push(lock);
    Promise.resolve()
      .then(() => lock.work(lock))
      .then(lock.resolve, lock.reject)
      .finally(() => {
        if (this.held.includes(lock)) this.held.splice(this.held.indexOf(lock), 1);
        this.next();
      });
  }
}

/** A class of channels that reach each other, at once. */
export function channels() {
  const open = new Set();
  return class {
    constructor(name) {
      this.name = name;
      open.add(this);
    }

    postMessage(data) {
      for (const other of open) {
        if (other !== this && other.name === this.name) other.onmessage?.({ data: structuredClone(data) });
      }
    }

    close() {
      open.delete(this);
    }
  };
}

/** Lets everything run that is ready to. */
export const settled = () => new Promise((resolve) => setTimeout(resolve, 0));
