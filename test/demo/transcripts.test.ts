import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const FOLDER = join(import.meta.dirname, '..', '..', 'demo', 'transcripts')
/** Ranges that are kept for fiction: 555-01xx, Ofcom's 020 7946 0xxx, ARCEP's 01 99 00 xx xx. */
const EXAMPLE_NUMBER = /^\+1 202-555-01\d\d$|^\+44 20 7946 0\d{3}$|^\+33 1 99 00 \d\d \d\d$/

interface Transcript {
  id: string
  channel: string
  startedAt: string
  participants: { name: string; role: string }[]
  messages: { at: string; from: string; text: string }[]
}

const names = readdirSync(FOLDER)

t.test('there are transcripts of every kind', async (t) => {
  for (const ending of ['.json', '.html', '.txt'])
    t.ok(
      names.some((name) => name.endsWith(ending)),
      ending,
    )
  for (const name of names) t.match(name, /^[a-z0-9-]+\.(?:json|html|txt)$/)
})

t.test('each JSON transcript has the one shape', async (t) => {
  for (const name of names.filter((each) => each.endsWith('.json'))) {
    const value = JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Transcript
    t.same(Object.keys(value), ['id', 'channel', 'startedAt', 'participants', 'messages'], name)
    t.equal(`${value.id}.json`, name)
    const people = new Set(value.participants.map((each) => each.name))
    let before = Date.parse(value.startedAt)
    for (const message of value.messages) {
      t.ok(people.has(message.from), `${name}: ${message.from}`)
      t.ok(message.text.length > 0)
      t.ok(Date.parse(message.at) >= before, 'in order')
      before = Date.parse(message.at)
    }
  }
})

t.test('telephone numbers are those kept for examples', async (t) => {
  let found = 0
  for (const name of names) {
    for (const number of readFileSync(join(FOLDER, name), 'utf8').match(/\+\d[\d -]{7,}\d/g) ?? []) {
      found += 1
      t.match(number, EXAMPLE_NUMBER, `${name}: ${number}`)
    }
  }
  t.ok(found > 6)
})
