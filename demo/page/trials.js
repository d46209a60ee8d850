/** The side panel: attacks at the press of a button, and a truthful account of what became of each. */
import { retryMs } from './transports.js'

const FLOOD = 60
const AT_ONCE = 6
const MAX_RESULTS = 12

const ATTACKS = [
  {
    label: 'Image with onerror',
    text: 'Look: <img src=x onerror="window.__pwned = true"> nice?',
  },
  { label: 'Script element', text: 'Hi <script>window.__pwned = true</script>there' },
  {
    label: 'SVG and a fake link',
    text: '<svg onload="window.__pwned = true"></svg><a href="javascript:window.__pwned = true">your invoice</a>',
  },
  { label: 'Harmless: a < b & I <3 you', text: 'a < b & I <3 you', keep: true },
]

const PROBES = [
  { label: 'Internal address', path: '/internal/stats' },
  { label: 'Way out of the folder', path: '/assets/..%2f..%2fetc%2fpasswd' },
]

/** The OWASP headers that a page can see on its own answers. */
const HEADERS = [
  'content-security-policy',
  'cross-origin-embedder-policy',
  'cross-origin-opener-policy',
  'cross-origin-resource-policy',
  'permissions-policy',
  'referrer-policy',
  'strict-transport-security',
  'x-content-type-options',
  'x-dns-prefetch-control',
  'x-frame-options',
  'x-permitted-cross-domain-policies',
]

export function setUpTrials({ trials, results, shield, send }) {
  const button = (label, run) => {
    const made = document.createElement('button')
    made.type = 'button'
    made.textContent = label
    made.addEventListener('click', async () => {
      made.disabled = true
      const result = openResult(results, label)
      await run(result).catch((error) => result.verdict('refused', `Refused: ${error.message}`))
      made.disabled = false
    })
    trials.append(made)
  }
  for (const attack of ATTACKS) button(attack.label, (result) => sendAttack(attack, send, result))
  for (const probe of PROBES) button(probe.label, (result) => sendProbe(probe, result))
  button(`Flood of ${FLOOD} requests`, sendFlood)
  describeShield(shield).catch(() => {
    shield.textContent = 'The connection cannot be examined now.'
  })
}

function openResult(results, label) {
  results.querySelector('.empty')?.remove()
  const item = document.createElement('article')
  item.className = 'result'
  const title = document.createElement('h4')
  title.textContent = label
  const verdict = document.createElement('p')
  verdict.className = 'verdict'
  verdict.dataset.verdict = 'waiting'
  verdict.textContent = 'Waiting…'
  item.append(title, verdict)
  results.prepend(item)
  while (results.childElementCount > MAX_RESULTS) results.lastElementChild.remove()
  results.scrollTop = 0
  return {
    item,
    verdict(kind, words) {
      verdict.dataset.verdict = kind
      verdict.textContent = words
    },
    row(term, code) {
      const row = document.createElement('p')
      row.className = 'row'
      const name = document.createElement('span')
      name.textContent = term
      const value = document.createElement('code')
      value.textContent = code
      row.append(name, value)
      item.append(row)
    },
  }
}

async function sendAttack(attack, send, result) {
  window.__pwned = undefined
  result.row('Sent', attack.text)
  const { message, shown } = await send(attack.text)
  result.row('Came back', message.text)
  // An onerror handler needs a moment before it would run.
  await new Promise((resolve) => setTimeout(resolve, 300))
  const elements = shown?.querySelectorAll('*').length ?? 0
  if (attack.keep) {
    const whole = shown?.textContent === attack.text && elements === 0
    result.verdict(whole ? 'safe' : 'hit', whole ? 'Every character arrived' : 'The words were changed')
  } else if (window.__pwned !== undefined) {
    result.verdict('hit', 'The script ran')
  } else if (elements > 0) {
    result.verdict('hit', `${elements} foreign element${elements === 1 ? '' : 's'} in the page`)
  } else {
    result.verdict('safe', 'Defused: no element made, nothing ran')
  }
}

async function sendProbe(probe, result) {
  result.row('Asked', `GET ${probe.path}`)
  const response = await fetch(probe.path, { headers: { accept: 'application/json' } })
  const body = await response.text()
  result.row('Came back', `${response.status} ${body.slice(0, 160)}`)
  if (response.ok) result.verdict('hit', 'It answered')
  else result.verdict('safe', `Refused with ${response.status}`)
}

async function sendFlood(result) {
  const dots = document.createElement('div')
  dots.className = 'dots'
  dots.setAttribute('aria-hidden', 'true')
  result.item.append(dots)
  const counts = new Map()
  let waitMs = 0
  let left = FLOOD
  async function worker() {
    while (left > 0) {
      left -= 1
      const response = await fetch('/api/health', { cache: 'no-store' })
      await response.arrayBuffer()
      counts.set(response.status, (counts.get(response.status) ?? 0) + 1)
      waitMs = Math.max(waitMs, retryMs(response.headers))
      const dot = document.createElement('i')
      dot.className = response.ok ? 'ok' : 'no'
      dots.append(dot)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  const list = [...counts].sort(([a], [b]) => a - b).map(([status, count]) => `${count} × ${status}`)
  result.row('Came back', list.join(', ') + (waitMs > 0 ? `, Retry-After ${waitMs / 1000} s` : ''))
  const stopped = counts.get(429) ?? 0
  if (stopped > 0) result.verdict('safe', `Stopped: ${stopped} of ${FLOOD} refused with 429`)
  else result.verdict('hit', 'Every request went through')
}

async function describeShield(shield) {
  const response = await fetch('/api/health')
  const present = HEADERS.filter((header) => response.headers.has(header)).length
  const protocol = performance.getEntriesByType('navigation')[0]?.nextHopProtocol ?? ''
  const spoken = { h2: 'HTTP/2', 'http/1.1': 'HTTP/1.1' }[protocol] ?? protocol
  const secure = location.protocol === 'https:'
  shield.dataset.shield = secure && present > 0 ? 'on' : 'off'
  shield.textContent =
    secure && present > 0
      ? `Behind the gateway · TLS · ${spoken} · ${present} security headers`
      : 'No gateway in front: nothing here is cleaned or limited'
}
