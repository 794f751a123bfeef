/**
 * A run's events by Server-Sent Events, read with fetch: unlike EventSource it shows status codes, sends headers and
 * leaves reconnecting to the session.
 */

import { SseParser } from "./sse_parser.js";

/**
 * What every transport tells, and what the follower does with it.
 *
 * @typedef {object} Listener
 * @property {() => void} opened
 * @property {() => void} heard
 * @property {(milliseconds: number) => void} retry
 * @property {(envelope: any) => void} envelope of a run, or of the feed
 * @property {(ending: import("./session.js").Ending) => void} closed
 * @property {() => number} cursor the last id that was applied
 *
 * @typedef {{runId: string, snapshot: boolean}} Request
 * @typedef {{close: (stalled: boolean) => void}} Connection
 */

/**
 * @param {string} api the root of the HTTP interface
 * @param {typeof fetch} [fetcher]
 * @returns {(request: Request, listener: Listener) => Connection}
 */
export function sseTransport(api, fetcher = (input, init) => fetch(input, init)) {
  return (request, listener) => {
    const abort = new AbortController();
    const query = new URLSearchParams({ after: String(listener.cursor()) });
    if (request.snapshot) query.set("snapshot", "1");
    const url = `${api}/runs/${encodeURIComponent(request.runId)}/events?${query}`;
    read(url, fetcher, abort.signal, listener).catch((fault) => {
      if (!abort.signal.aborted) throw fault;
    });
    return { close: () => abort.abort() };
  };
}

/**
 * The same for the user's feed.
 *
 * @param {string} api @param {typeof fetch} [fetcher] @returns {(_: unknown, listener: Listener) => Connection}
 */
export function sseFeed(api, fetcher = (input, init) => fetch(input, init)) {
  return (_, listener) => {
    const abort = new AbortController();
    read(`${api}/events?after=${listener.cursor()}`, fetcher, abort.signal, listener).catch((fault) => {
      if (!abort.signal.aborted) throw fault;
    });
    return { close: () => abort.abort() };
  };
}

/** @param {string} url @param {typeof fetch} fetcher @param {AbortSignal} signal @param {Listener} listener */
async function read(url, fetcher, signal, listener) {
  /** @type {Response} */
  let response;
  try {
    response = await fetcher(url, { headers: { Accept: "text/event-stream" }, cache: "no-store", signal });
  } catch {
    if (!signal.aborted) listener.closed({ kind: "unreachable" });
    return;
  }
  const ending = endingOf(response);
  if (ending) return listener.closed(ending);
  if (!response.body || !response.headers.get("content-type")?.startsWith("text/event-stream")) {
    return listener.closed({ kind: "refused" });
  }
  const end = await drain(response.body, signal, listener);
  if (!signal.aborted) listener.closed(end);
}

/**
 * @param {ReadableStream<Uint8Array>} body
 * @param {AbortSignal} signal
 * @param {Listener} listener
 * @returns {Promise<import("./session.js").Ending>}
 */
async function drain(body, signal, listener) {
  const decoder = new TextDecoder();
  const parser = new SseParser({
    onRetry: listener.retry,
    onEvent: (event) => {
      if (!signal.aborted) listener.envelope(JSON.parse(event.data));
    },
  });
  const reader = body.getReader();
  let open = false;
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done || signal.aborted) return { kind: "ended" };
      // Headers alone prove nothing: a proxy that holds the body back sends them, too.
      if (!open) listener.opened();
      open = true;
      listener.heard();
      parser.push(decoder.decode(value, { stream: true }));
    }
  } catch {
    return { kind: "dropped" };
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

/**
 * What a status code means for following a run; null for a stream.
 *
 * @param {Response} response
 * @returns {import("./session.js").Ending | null}
 */
export function endingOf(response) {
  const { status } = response;
  if (status === 204) return { kind: "over" };
  if (response.ok) return null;
  if (status === 401) return { kind: "signed_out" };
  if (status === 403 || status === 404 || status === 410) return { kind: "gone" };
  if (status === 400) return { kind: "bad_cursor" };
  if (status === 406 || status === 415) return { kind: "refused" };
  const seconds = Number(response.headers.get("retry-after"));
  return { kind: "busy", retryAfter: Number.isFinite(seconds) ? seconds * 1000 : 0 };
}
