// The answer by long poll: for networks that let no stream through.
import { ask, connect, hasEnded } from "./chat.mjs"

const { CHAT_URL = "http://127.0.0.1:8000", MODEL = "demo/demo", TOKEN } = process.env
const call = connect(CHAT_URL, TOKEN)
const run = await ask(call, process.argv[2], MODEL)
for (let last = 0, ended = false; !ended; ) {
  // The answer comes as soon as there is something after event `last`, or after 25 seconds without.
  const { events } = await (await call(`/api/v1/runs/${run}?wait=25&after=${last}`)).json()
  for (const event of events) {
    last = event.id
    ended = hasEnded(event)
    if (event.event === "thread.message.delta") process.stdout.write(event.data.content)
  }
}
console.log()
