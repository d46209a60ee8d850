/** The stage that lets a WebSocket handshake in: subprotocols, and how many sockets an address has open. */
import type { HeaderList } from '../http/headers.ts'
import { DONE, GO, type Stage } from './contracts.ts'
import type { Exchange } from './exchange.ts'
import type { SocketBounds } from './socket-bounds.ts'

const FIELD = 'sec-websocket-protocol'

/** Takes a slot of the address until the exchange ends. Requests that open no WebSocket pass. */
export function makeSocketAdmission(bounds: SocketBounds): Stage {
  const { subprotocols, perAddress } = bounds
  return function admitSocket(x) {
    if (!x.isWebSocket) return GO
    if (subprotocols !== null && !keepAllowed(x, subprotocols)) {
      x.refuse('subprotocol-denied')
      return DONE
    }
    const key = x.clientKey
    if (!perAddress.take(key)) {
      x.answerHeaders.push('retry-after', '1')
      x.refuse('too-many-sockets')
      return DONE
    }
    const release = x.onRelease
    x.onRelease = () => {
      release?.()
      perAddress.release(key)
    }
    return GO
  }
}

/** Leaves only the allowed names in the offer. False where there was an offer and nothing of it is allowed. */
function keepAllowed(x: Exchange, allowed: ReadonlySet<string>): boolean {
  const kept: string[] = []
  const headers: HeaderList = []
  let hadOffer = false
  for (let i = 0; i < x.headers.length; i += 2) {
    if (x.headers[i] !== FIELD) {
      headers.push(x.headers[i]!, x.headers[i + 1]!)
      continue
    }
    hadOffer = true
    for (const each of x.headers[i + 1]!.split(',')) {
      const name = each.trim()
      if (allowed.has(name)) kept.push(name)
    }
  }
  if (!hadOffer) return true
  if (kept.length === 0) return false
  headers.push(FIELD, kept.join(', '))
  x.headers = headers
  return true
}
