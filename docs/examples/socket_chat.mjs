// Asking over the WebSocket, in a page or in Node 22 (20 with --experimental-websocket). A page that has a session needs
// no auth frame: its cookie says who it is.
import { connect, hasEnded, newThread, pause, textAfter } from "./chat.mjs"

const { CHAT_URL = "http://127.0.0.1:8000", MODEL = "demo/demo", TOKEN } = process.env
const thread = await newThread(connect(CHAT_URL, TOKEN))
const send = { thread_id: thread, content: process.argv[2], model: MODEL, idempotency_key: crypto.randomUUID() }
let run = null
let last = 0
let wait = 500
let text = ""

// One connection; true when the run has ended.
const read = () =>
  new Promise((done, fail) => {
    const socket = new WebSocket(CHAT_URL.replace("http", "ws") + "/ws/v1", ["chat.v1"])
    const say = (event, req, data) => socket.send(JSON.stringify({ event, req, data }))
    socket.onopen = () => {
      say("auth", 1, { token: TOKEN })
      if (run) say("subscribe", 2, { run_id: run, after: last })
      else say("message.send", 2, send)
    }
    socket.onmessage = ({ data: frame }) => {
      const told = JSON.parse(frame)
      const { event, req, id, data } = told
      if (event === "error" && id === undefined) {
        if (!data.retryable) fail(new Error(data.message))
        return socket.close() // about this connection, not about the run: go on over another
      }
      if (req === 2) run = data.run_id ?? run
      if (event !== "thread.run.snapshot" && !(id > last)) return // a reply, a hint, a repeat
      last = id
      wait = 500
      const before = text.length
      text = textAfter(text, told)
      process.stdout.write(text.slice(before))
      if (hasEnded({ event })) {
        done(true)
        socket.close()
      }
    }
    socket.onclose = () => done(false)
    socket.onerror = () => done(false)
  })

while (!(await read())) wait = await pause(wait)
console.log()
