/** The HTTP interface: one shape of error, the CSRF token, and sends that survive a lost answer. */

import { gettext } from "./words.js";

/** A refusal of the server, or of the network (code `network`, status 0). */
export class ApiError extends Error {
  /** @param {number} status @param {Wire.Failure} failure */
  constructor(status, failure) {
    super(failure.message);
    this.status = status;
    this.failure = failure;
  }

  /** Whether the answer was lost: it may or may not have happened. */
  get lost() {
    return this.status === 0 || (BETWEEN.includes(this.status) && this.failure.code === `http_${this.status}`);
  }
}

/** What a proxy says in place of the server, which may have done what was asked. */
const BETWEEN = [502, 503, 504];

const NETWORK = { code: "network", message: gettext("The server cannot be reached. Check your connection."), retryable: true };
const TRIES = 5;

export class Api {
  /** @param {string} root @param {Page.Boot["csrf"]} csrf @param {typeof fetch} [fetcher] */
  constructor(root, csrf, fetcher = (input, init) => fetch(input, init)) {
    this.root = root;
    this.csrf = csrf;
    this.fetcher = fetcher;
  }

  /** @param {string} path */
  get(path) {
    return this.call("GET", path);
  }

  /** @param {string} path @param {unknown} body */
  post(path, body) {
    return this.call("POST", path, { body });
  }

  /** @param {string} path @param {unknown} body */
  patch(path, body) {
    return this.call("PATCH", path, { body });
  }

  /** @param {string} path */
  delete(path) {
    return this.call("DELETE", path);
  }

  /**
   * A POST that happens once, however often its answer is lost: it is sent again with the same key.
   *
   * @param {string} path
   * @param {unknown} body
   * @param {string} key
   * @param {() => void} onLost before each further try
   */
  async postOnce(path, body, key, onLost) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.call("POST", path, { body, key });
      } catch (fault) {
        if (!(fault instanceof ApiError) || attempt === TRIES) throw fault;
        const waits = fault.lost || (fault.status === 503 && fault.failure.retryable);
        if (!waits) throw fault;
        onLost();
        await pause(Math.max(fault.failure.retry_after_ms ?? 0, 500 * 2 ** attempt * (0.5 + Math.random() / 2)));
      }
    }
  }

  /**
   * A POST that may take as long as an answer. Resolves with null where that was lost: then it is sent again, with the
   * same key, in a shorter way.
   *
   * @param {string} path @param {unknown} body @param {string} key
   */
  async postLong(path, body, key) {
    try {
      return await this.call("POST", path, { body, key });
    } catch (fault) {
      if (fault instanceof ApiError && fault.lost) return null;
      throw fault;
    }
  }

  /**
   * Sends a file once, however often its answer is lost.
   *
   * @param {string} path
   * @param {File} file
   * @param {{name: string, key: string, stop: AbortSignal, progressed: (part: number) => void}} options
   * @returns {Promise<Wire.Attachment>}
   */
  async upload(path, file, options) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.sendFile(path, file, options);
      } catch (fault) {
        if (!(fault instanceof ApiError) || attempt === TRIES || options.stop.aborted) throw fault;
        const waits = fault.lost || ([429, 503].includes(fault.status) && fault.failure.retryable);
        if (!waits) throw fault;
        await pause(Math.max(fault.failure.retry_after_ms ?? 0, 500 * 2 ** attempt * (0.5 + Math.random() / 2)));
      }
    }
  }

  /** Not by `fetch`, which does not say how much has been sent.
   * @private @param {string} path @param {File} file
   * @param {{name: string, key: string, stop: AbortSignal, progressed: (part: number) => void}} options
   * @returns {Promise<Wire.Attachment>} */
  sendFile(path, file, { name, key, stop, progressed }) {
    const form = new FormData();
    form.append("file", file, name);
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", this.root + path);
      request.setRequestHeader("Accept", "application/json");
      request.setRequestHeader("X-CSRFToken", this.token());
      request.setRequestHeader("Idempotency-Key", key);
      request.upload.onprogress = ({ loaded, total }) => progressed(total ? loaded / total : 0);
      request.onload = () => {
        const value = parsed(request.responseText);
        if (request.status === 201) resolve(value);
        else reject(new ApiError(request.status, failureOf(request.status, value)));
      };
      request.onerror = request.onabort = () => reject(new ApiError(0, NETWORK));
      stop.addEventListener("abort", () => request.abort(), { once: true });
      request.send(form);
    });
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {{body?: unknown, key?: string}} [options]
   * @returns {Promise<any>} the JSON of the answer; null for one without a body
   */
  async call(method, path, { body, key } = {}) {
    /** @type {Record<string, string>} */
    const headers = { Accept: "application/json" };
    if (method !== "GET") headers["X-CSRFToken"] = this.token();
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (key) headers["Idempotency-Key"] = key;
    /** @type {RequestInit} */
    const init = { method, headers, credentials: "same-origin", cache: "no-store" };
    if (body !== undefined) init.body = JSON.stringify(body);
    let response;
    let text;
    try {
      response = await this.fetcher(this.root + path, init);
      text = await response.text();
    } catch {
      throw new ApiError(0, NETWORK);
    }
    const value = parsed(text);
    if (response.ok) return value ?? null;
    throw new ApiError(response.status, failureOf(response.status, value));
  }

  /** The cookie's token is the newest: signing in again in another tab changes it. */
  token() {
    const prefix = `${this.csrf.cookie}=`;
    const cookie = document.cookie.split("; ").find((one) => one.startsWith(prefix));
    return cookie ? cookie.slice(prefix.length) : this.csrf.token;
  }
}

/** @param {unknown} fault @returns {Wire.Failure} what to show for any exception of a call */
export function failureFrom(fault) {
  if (fault instanceof ApiError) return fault.failure;
  console.error(fault);
  return { code: "page_error", message: gettext("Something went wrong on this page. Reload it and try again."), retryable: true };
}

/** A key that no other request has. `crypto.randomUUID` is missing on plain HTTP, so it is made by hand. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {number} status @param {any} value @returns {Wire.Failure} */
function failureOf(status, value) {
  const failure = value?.error;
  if (failure && typeof failure.message === "string") return failure;
  if (status === 413) return { code: "http_413", message: gettext("This is larger than the server accepts."), retryable: false };
  const retryable = status >= 500 || status === 429;
  return { code: `http_${status}`, message: gettext("The server answered with status %(status)s.", { status }), retryable };
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @param {number} milliseconds */
function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
