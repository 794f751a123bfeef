/** A run's events by long poll, for networks that break every kind of streaming. */

import { asSnapshot, isTerminal } from "./snapshot.js";
import { endingOf } from "./sse.js";

// While tokens come, every question would be answered at once; four a second read as smoothly and cost a tenth.
const PAUSE = 250;

/**
 * @param {string} api the root of the HTTP interface
 * @param {Pick<import("./tabs.js").Tabs, "turn">} tabs
 * @param {typeof fetch} [fetcher]
 * @returns {(request: import("./sse.js").Request, listener: import("./sse.js").Listener) =>
 *   import("./sse.js").Connection}
 */
export function pollTransport(api, tabs, fetcher = (input, init) => fetch(input, init)) {
  return (request, listener) => {
    const abort = new AbortController();
    const url = `${api}/runs/${encodeURIComponent(request.runId)}`;
    poll(url, request.snapshot, tabs, fetcher, abort.signal, listener).catch((fault) => {
      if (!abort.signal.aborted) throw fault;
    });
    return { close: () => abort.abort() };
  };
}

/**
 * @param {string} url
 * @param {boolean} snapshot
 * @param {Pick<import("./tabs.js").Tabs, "turn">} tabs
 * @param {typeof fetch} fetcher
 * @param {AbortSignal} signal
 * @param {import("./sse.js").Listener} listener
 */
async function poll(url, snapshot, tabs, fetcher, signal, listener) {
  let whole = snapshot;
  for (let first = true; !signal.aborted; first = false) {
    // The first round is answered at once: it proves the way to the server, and no other tab's long wait is in its way.
    const waiting = (/** @type {number} */ seconds) => `?wait=${seconds}&after=${listener.cursor()}`;
    const now = whole ? "" : waiting(0);
    const view =
      whole || first
        ? await ask(url + now, fetcher, signal, listener)
        : await tabs.turn(signal, (seconds) => ask(url + waiting(seconds), fetcher, signal, listener));
    if (!view || signal.aborted) return;
    listener.opened();
    listener.heard();
    // What this reader has is more than there is, or what follows it is not there any more: it cannot be gone on from.
    const events = view.events ?? [];
    const goesOn = view.head === listener.cursor() || (view.head > listener.cursor() && events.length > 0);
    if (!whole && goesOn) for (const envelope of events) tell(envelope, signal, listener);
    else tell(asSnapshot(view), signal, listener);
    if (signal.aborted) return;
    if (isTerminal(view.run.status) && listener.cursor() >= view.head) return listener.closed({ kind: "over" });
    whole = false;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

/** @param {Wire.Envelope} envelope @param {AbortSignal} signal @param {import("./sse.js").Listener} listener */
function tell(envelope, signal, listener) {
  if (!signal.aborted) listener.envelope(envelope);
}

/**
 * @param {string} url
 * @param {typeof fetch} fetcher
 * @param {AbortSignal} signal
 * @param {import("./sse.js").Listener} listener
 * @returns {Promise<Wire.RunView | null>}
 */
async function ask(url, fetcher, signal, listener) {
  let opened = false;
  try {
    const response = await fetcher(url, { headers: { Accept: "application/json" }, cache: "no-store", signal });
    opened = true;
    const ending = endingOf(response);
    if (!ending) return await response.json();
    listener.closed(ending);
  } catch {
    if (!signal.aborted) listener.closed({ kind: opened ? "dropped" : "unreachable" });
  }
  return null;
}
