/** The gateway's reading of the bytes of one connection: its parsers one after the other, without a socket. */
import { Http1Body } from '../../src/exchange/http1-body.ts'
import { frameRequest, isPersistent } from '../../src/exchange/http1-head.ts'
import { parseRequestHead } from '../../src/http/request-head.ts'
import { parseTarget } from '../../src/http/target.ts'

export interface OwnRequest {
  readonly method: string
  readonly target: string
  readonly headers: readonly string[]
  body: Buffer
  isWhole: boolean
}

export interface OwnReading {
  readonly requests: readonly OwnRequest[]
  /** The failure that ended the reading; ''. */
  readonly refused: string
}

/** Whole requests in order; a last one may lack the end of its body. */
export function readOwn(bytes: Buffer): OwnReading {
  const requests: OwnRequest[] = []
  let rest = bytes
  for (;;) {
    const from = rest[0] === 0x0d && rest[1] === 0x0a ? 2 : 0
    const text = rest.toString('latin1', from)
    const end = text.indexOf('\r\n\r\n')
    if (end === -1) return { requests, refused: '' }
    const parsed = parseRequestHead(text.slice(0, end + 4), 100)
    if (typeof parsed === 'string') return { requests, refused: parsed }
    const head = frameRequest(parsed)
    if (typeof head === 'string') return { requests, refused: head }
    if (parseTarget(head.target, head.method) === null) return { requests, refused: 'bad-target' }
    rest = rest.subarray(from + end + 4)
    const { method, target, headers } = head
    const request: OwnRequest = { method, target, headers, body: Buffer.alloc(0), isWhole: false }
    requests.push(request)
    const body = new Http1Body()
    body.begin(head.bodyLength)
    body.flows = true
    const pieces: Buffer[] = []
    while (!body.done && rest.length > 0) {
      const used = body.read(rest, (piece) => pieces.push(piece))
      if (used === -1) return { requests, refused: 'bad-chunk' }
      rest = rest.subarray(used)
    }
    request.body = Buffer.concat(pieces)
    request.isWhole = body.done
    if (!body.done || !isPersistent(head)) return { requests, refused: '' }
  }
}
