// Asking and following, for pages and for Node 20: fetch, and a reader of its stream.

const ENDS = /^thread\.run\.(completed|incomplete|failed|cancelled|expired)$/
export const hasEnded = (event) => ENDS.test(event.event)

export const connect = (url, token) => async (path, { body, ...options } = {}) => {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" }
  const response = await fetch(url + path, { headers, ...options, ...(body && { method: "POST", body: JSON.stringify(body) }) })
  if (response.ok || response.status === 429 || response.status === 503) return response // those pass
  throw new Error((await response.json()).error.message)
}

// Start a run in a new thread; its id.
export async function ask(call, question, model) {
  const thread = await (await call("/api/v1/threads", { body: {} })).json()
  // Send again with the same key if the answer is lost: it is the same run.
  const body = { content: question, model, idempotency_key: crypto.randomUUID() }
  return (await (await call(`/api/v1/threads/${thread.id}/runs`, { body })).json()).run.id
}

// The numbered events of a run, each once and in order, up to its end, over as many connections as it takes.
export async function* follow(call, run) {
  let last = 0
  for (let wait = 500; ; wait = Math.min(2 * wait, 30_000)) {
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
      if (!(fault instanceof TypeError)) throw fault // fetch's word for a broken network
    }
    await new Promise((done) => setTimeout(done, Math.random() * wait))
  }
}

// The answer as it reads after an event.
export function textAfter(text, { event, data }) {
  if (event === "thread.message.delta") return text + data.content
  if (event !== "thread.run.snapshot") return text
  return data.messages.find((message) => message.role === "assistant").content // instead of all that was missed
}

// What stands on the data: lines. An event is one line of ASCII.
async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  for (let rest = "", piece; !(piece = await reader.read()).done; ) {
    const lines = (rest + piece.value).split("\n")
    rest = lines.pop()
    for (const line of lines) if (line.startsWith("data: ")) yield JSON.parse(line.slice(6))
  }
}
