// The answer by long poll: for networks that let no stream through.
import { ask, connect, hasEnded, insist, textAfter, textOf } from "./chat.mjs"

const { CHAT_URL = "http://127.0.0.1:8000", MODEL = "demo/demo", TOKEN } = process.env
const call = connect(CHAT_URL, TOKEN)
const run = await ask(call, process.argv[2], MODEL)
let text = ""
for (let last = 0, ended = false; !ended; ) {
  // The answer comes as soon as there is something after event `last`, or after 25 seconds without.
  const state = await insist(call, `/api/v1/runs/${run}?wait=25&after=${last}`)
  const before = text.length
  if (state.events.length && state.events.every(({ id }, index) => id === last + 1 + index)) {
    for (const event of state.events) {
      text = textAfter(text, event)
      last = event.id
      ended = hasEnded(event)
    }
  } else {
    // Nothing new, or the log no longer has what followed: the state beside it is what all of it led to.
    text = textOf(state, text)
    last = state.head
    ended = state.run.finished_at !== null
  }
  process.stdout.write(text.slice(before))
}
console.log()
