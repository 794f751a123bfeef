// node ask.mjs "What is 17 * 23?"   prints the answer as it comes; with --stop it is stopped after its first words.
import { ask, connect, follow, insist, textAfter } from "./chat.mjs"

const { CHAT_URL = "http://127.0.0.1:8000", MODEL = "demo/demo", TOKEN } = process.env
const call = connect(CHAT_URL, TOKEN)
const run = await ask(call, process.argv[2], MODEL)
let text = ""
for await (const told of follow(call, run)) {
  const { event, data } = told
  const before = text.length
  text = textAfter(text, told)
  process.stdout.write(text.slice(before))
  if (event === "thread.message.delta" && process.argv.includes("--stop")) {
    await insist(call, `/api/v1/runs/${run}/cancel`, { method: "POST" }) // again changes nothing
  }
  if (event === "thread.run.failed") process.exitCode = 1
  if (event === "thread.run.cancelled") process.stdout.write(`\nended as ${data.run.status}`)
}
console.log()
