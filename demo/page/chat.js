/**
 * The chat page. It inserts names and texts with innerHTML on purpose: the gateway's cleaned text (output `html`) is made
 * for that, and only so does the demo show whether the cleaning holds.
 */
import { connect, read } from './transports.js'
import { setUpTrials } from './trials.js'

const find = (id) => document.getElementById(id)
const [form, name, text, log, state, people, typing, problem] = [
  'form',
  'name',
  'text',
  'log',
  'state',
  'people',
  'typing',
  'problem',
].map(find)

const STATES = { connecting: 'Connecting', open: 'Connected', waiting: 'Trying again' }
const NAMES = ['Robin', 'Sascha', 'Kim', 'Noor', 'Alex', 'Charlie', 'Mika', 'Toni', 'Jules', 'Yuki', 'Ari', 'Sam']
const VIA = { 'socket.io': 'socket.io', websocket: 'WebSocket', rest: 'REST' }
const MAX_SHOWN = 300
const TYPING_MS = 3000

const seen = new Set()
let lastId = 0
const own = new Set()
/** ref -> resolve: trials that wait for their message to come back. */
const awaited = new Map()
let transport = null
let typingTimer = 0
let typingSentAt = 0

name.value = NAMES[Math.floor(Math.random() * NAMES.length)]

function makeRef() {
  return crypto.getRandomValues(new Uint32Array(2)).join('-')
}

const events = {
  onState(next) {
    if (state.dataset.state === next) return
    state.dataset.state = next
    state.textContent = STATES[next]
    if (next === 'open') readHistory()
  },
  onPeople(count) {
    people.textContent = count === 1 ? '1 connected' : `${count} connected`
  },
  onTyping(who) {
    typing.innerHTML = who
    typing.append(' is typing…')
    clearTimeout(typingTimer)
    typingTimer = setTimeout(() => typing.replaceChildren(), TYPING_MS)
  },
  onMessage: show,
  onProblem(words) {
    problem.textContent = words
  },
}

function show(message) {
  const shown = seen.has(message.id) ? null : append(message)
  seen.add(message.id)
  lastId = Math.max(lastId, message.id)
  if (message.ref && awaited.has(message.ref)) awaited.get(message.ref)({ message, shown })
}

function append(message) {
  find('empty')?.remove()
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80
  const mine = message.ref !== null && own.has(message.ref)
  const item = document.createElement('article')
  item.className = mine ? 'message mine' : 'message'
  item.dataset.id = message.id
  const head = document.createElement('p')
  head.className = 'who'
  const who = document.createElement('strong')
  who.innerHTML = message.name
  const when = document.createElement('time')
  when.dateTime = message.at
  when.textContent = new Date(message.at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
  const via = document.createElement('span')
  via.className = 'via'
  via.textContent = VIA[message.via] ?? ''
  head.append(who, ' ', when, ' ', via)
  const words = document.createElement('div')
  words.className = 'words'
  words.dir = 'auto'
  words.innerHTML = message.text
  const badge = document.createElement('span')
  badge.className = `badge hue-${hueOf(who.textContent)}`
  badge.setAttribute('aria-hidden', 'true')
  badge.textContent = [...who.textContent.trim()][0]?.toUpperCase() ?? '?'
  item.append(badge, head, words)
  log.append(item)
  while (log.childElementCount > MAX_SHOWN) log.firstElementChild.remove()
  if (atEnd || mine) log.scrollTop = log.scrollHeight
  typing.replaceChildren()
  return words
}

function hueOf(words) {
  let sum = 7
  for (const letter of words) sum = (sum * 131 + letter.codePointAt(0)) % 65_521
  return (sum >> 3) % 6
}

/** What was said before this page came, or while it was away. */
async function readHistory() {
  const { messages } = await read(lastId).catch(() => ({ messages: [] }))
  messages.forEach(show)
}

/** Sends by the chosen transport and gives the message as it comes back: { message, shown }; rejects with words for a person. */
async function send(words) {
  const ref = makeRef()
  own.add(ref)
  let late = 0
  const back = new Promise((resolve, reject) => {
    awaited.set(ref, resolve)
    late = setTimeout(() => reject(new Error('Nothing came back: the message was refused.')), 8000)
  })
  back.catch(() => {})
  try {
    await transport.send({ name: name.value, text: words, ref })
    return await back
  } finally {
    clearTimeout(late)
    awaited.delete(ref)
  }
}

function chooseTransport(kind) {
  transport?.close()
  problem.textContent = ''
  people.textContent = ''
  transport = connect(kind, events)
}

form.addEventListener('submit', (event) => {
  event.preventDefault()
  const words = text.value
  if (words.trim() === '' || !form.reportValidity()) return
  text.value = ''
  problem.textContent = ''
  text.focus()
  send(words).catch((error) => {
    problem.textContent = error.message
    if (text.value === '') text.value = words
  })
})

text.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  event.preventDefault()
  form.requestSubmit()
})

text.addEventListener('input', () => {
  if (Date.now() - typingSentAt < TYPING_MS - 500 || text.value === '') return
  typingSentAt = Date.now()
  transport.typing(name.value)
})

for (const choice of document.querySelectorAll('input[name="transport"]')) {
  // A reloaded page may keep the choice that the browser remembers for the form.
  if (choice.checked) chooseTransport(choice.value)
  choice.addEventListener('change', () => chooseTransport(choice.value))
}

setUpTrials({ trials: find('trials'), results: find('results'), shield: find('shield'), send })
