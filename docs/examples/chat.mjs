// Asking and following, for pages and for Node 20: fetch, and a reader of its stream.

const ENDS = /^thread\.run\.(completed|incomplete|failed|cancelled|expired)$/
export const hasEnded = (event) => ENDS.test(event.event)
const PASSING = [429, 502, 503, 504] // what a busy server says, or the proxy of one that is just starting again

export const connect = (url, token) => async (path, { body, ...options } = {}) => {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" }
  const response = await fetch(url + path, { headers, ...options, ...(body && { method: "POST", body: JSON.stringify(body) }) })
  if (response.ok || PASSING.includes(response.status)) return response
  throw new Error((await response.json()).error.message)
}

// Ask until there is an answer. What is sent must do no harm when it is sent again: that is what a key is for.
export async function insist(call, path, options) {
  for (let wait = 500; ; wait = await pause(wait)) {
    try {
      const response = await call(path, options)
      if (response.ok) return await response.json()
    } catch (fault) {
      if (!(fault instanceof TypeError)) throw fault // fetch's word for a broken network
    }
  }
}

// Wait at most so long, at random; the next wait.
export async function pause(wait) {
  await new Promise((done) => setTimeout(done, Math.random() * wait))
  return Math.min(2 * wait, 30_000)
}

export const newThread = async (call) =>
  (await insist(call, "/api/v1/threads", { body: { idempotency_key: crypto.randomUUID() } })).id

// Start a run in a new thread; its id. If the answer to a POST is lost, the same key leads to the same run.
export async function ask(call, question, model) {
  const body = { content: question, model, idempotency_key: crypto.randomUUID() }
  return (await insist(call, `/api/v1/threads/${await newThread(call)}/runs`, { body })).run.id
}

// The numbered events of a run, each once and in order, up to its end, over as many connections as it takes.
export async function* follow(call, run) {
  let last = 0
  for (let wait = 500; ; wait = await pause(wait)) {
    try {
      const response = await call(`/api/v1/runs/${run}/events?after=${last}`)
      for await (const event of response.ok ? eventsOf(response.body) : []) {
        if (event.event !== "thread.run.snapshot" && !(event.id > last)) continue // a hint, a repeat
        last = event.id
        wait = 500
        yield event
        if (hasEnded(event)) return
      }
    } catch (fault) {
      if (!(fault instanceof TypeError)) throw fault
    }
  }
}

// The answer as it reads after an event.
export function textAfter(text, { event, data }) {
  if (event === "thread.message.delta") return text + data.content
  return textOf(data, text) // a snapshot has messages, instead of all that was missed
}

export const textOf = ({ messages = [] }, text = "") =>
  messages.find((message) => message.role === "assistant")?.content ?? text

// What stands on the data: lines. An event is one line of ASCII.
async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  for (let rest = "", piece; !(piece = await reader.read()).done; ) {
    const lines = (rest + piece.value).split("\n")
    rest = lines.pop()
    for (const line of lines) if (line.startsWith("data: ")) yield JSON.parse(line.slice(6))
  }
}
