/**
 * Four ways to the same room, one shape: `connect(kind, events)` gives `{ send(message), typing(name), close() }`. It
 * knows no page. Nothing is stored in the browser: no cookie, no local storage.
 */

const POLL_MS = 2500
const ANSWER_MS = 8000

/** events: onState('connecting' | 'open' | 'waiting'), onMessage(message), onTyping(name), onPeople(count), onProblem(text) */
export function connect(kind, events) {
  if (kind === 'rest') return overRest(events)
  if (kind === 'websocket') return overWebSocket(events)
  return overSocketIo(kind === 'polling' ? 'polling' : 'websocket', events)
}

/** Posts one message by REST: { status, headers, message }, where message is null unless it was stored. */
export async function post(message) {
  const response = await fetch('/api/messages', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(message),
  })
  const answer = await response.json().catch(() => null)
  return { status: response.status, headers: response.headers, message: response.ok ? answer : null, answer }
}

/** Messages after an id: { status, messages, people, waitMs }. */
export async function read(after) {
  const response = await fetch(`/api/messages?after=${after}`)
  if (!response.ok) return { messages: [], people: null, waitMs: retryMs(response.headers) }
  return { ...(await response.json()), waitMs: 0 }
}

export function retryMs(headers) {
  const seconds = Number(headers.get('retry-after'))
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0
}

export function explain(status) {
  if (status === 429) return 'Too many messages at once. Wait a little.'
  if (status === 413) return 'This message is too long.'
  if (status === 422) return 'The gateway refused this message.'
  return `The message was not accepted (${status}).`
}

function overRest(events) {
  let timer = 0
  let closed = false
  let last = 0
  async function poll() {
    clearTimeout(timer)
    let waitMs = POLL_MS
    try {
      const { messages, people, waitMs: asked } = await read(last)
      if (closed) return
      for (const message of messages) {
        last = Math.max(last, message.id)
        events.onMessage(message)
      }
      if (people !== null) events.onPeople(people)
      waitMs = Math.max(POLL_MS, asked)
      events.onState(asked > 0 ? 'waiting' : 'open')
    } catch {
      events.onState('connecting')
    }
    clearTimeout(timer)
    if (!closed) timer = setTimeout(poll, waitMs)
  }
  events.onState('connecting')
  poll()
  return {
    async send(message) {
      const { status } = await post(message)
      if (status !== 201) throw new Error(explain(status))
      poll()
    },
    typing() {},
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}

function overWebSocket(events) {
  let socket = null
  let closed = false
  let failures = 0
  let timer = 0
  function open() {
    events.onState('connecting')
    socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`)
    socket.onopen = () => {
      failures = 0
      events.onState('open')
    }
    socket.onmessage = (event) => {
      const value = JSON.parse(event.data)
      if (value.type === 'message') events.onMessage(value)
      else if (value.type === 'typing') events.onTyping(value.name)
      else if (value.type === 'people') events.onPeople(value.count)
      else if (value.type === 'error') events.onProblem(value.error)
    }
    socket.onclose = (event) => {
      if (closed) return
      events.onState('waiting')
      if (event.code === 1008 || event.code === 1009) events.onProblem(event.reason || 'The gateway closed the socket.')
      failures += 1
      timer = setTimeout(open, Math.min(500 * 2 ** failures, 15_000))
    }
  }
  open()
  return {
    async send(message) {
      if (socket.readyState !== WebSocket.OPEN) throw new Error('Not connected. Try again in a moment.')
      socket.send(JSON.stringify({ type: 'message', ...message }))
    },
    typing(name) {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: 'typing', name }))
    },
    close() {
      closed = true
      clearTimeout(timer)
      socket.close(1000)
    },
  }
}

function overSocketIo(transport, events) {
  let socket = null
  let closed = false
  events.onState('connecting')
  const ready = import('/assets/socket.io.js').then(({ io }) => {
    if (closed) return
    socket = io({ transports: [transport], reconnectionDelay: 1000, reconnectionDelayMax: 15_000, forceNew: true })
    socket.on('connect', () => events.onState('open'))
    socket.on('disconnect', () => closed || events.onState('waiting'))
    socket.on('connect_error', () => events.onState('waiting'))
    socket.on('message', events.onMessage)
    socket.on('typing', (value) => events.onTyping(value.name))
    socket.on('people', (value) => events.onPeople(value.count))
  })
  return {
    async send(message) {
      await ready
      if (!socket?.connected) throw new Error('Not connected. Try again in a moment.')
      const answer = await socket
        .timeout(ANSWER_MS)
        .emitWithAck('message', message)
        .catch(() => ({ error: 'No answer: the message was refused or lost on the way.' }))
      if (answer.error) throw new Error(answer.error)
    },
    typing(name) {
      if (socket?.connected) socket.volatile.emit('typing', { name })
    },
    close() {
      closed = true
      socket?.disconnect()
    },
  }
}
