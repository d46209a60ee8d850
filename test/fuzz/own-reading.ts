/** The gateway's reading of the bytes of one connection: its parsers one after the other, without a socket. */
import { Http1Body } from '../../src/exchange/http1-body.ts'
import { frameRequest, isPersistent } from '../../src/exchange/http1-head.ts'
import { parseRequestHead } from '../../src/http/request-head.ts'
import { RequestHeadReader } from '../../src/http/request-head-reader.ts'
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

const LIMITS = { maxHeaderBytes: 16 * 1024, maxTargetBytes: 8 * 1024 }
const MAX_HEADERS = 100

/** Whole requests in order; a last one may lack the end of its body. */
export function readOwn(pieces: readonly Buffer[]): OwnReading {
  const requests: OwnRequest[] = []
  const heads = new RequestHeadReader()
  const body = new Http1Body()
  let request: OwnRequest | null = null
  let data: Buffer[] = []
  for (const piece of pieces) {
    let rest: Buffer | null = piece
    while (rest !== null && rest.length > 0) {
      if (request === null) {
        const found = heads.read(rest, LIMITS)
        if (found === 'more') break
        if (found !== 'whole') return { requests, refused: found }
        rest = heads.rest
        const head = parseHead(heads.text)
        if (typeof head === 'string') return { requests, refused: head }
        request = {
          method: head.method,
          target: head.target,
          headers: head.headers,
          body: Buffer.alloc(0),
          isWhole: false,
        }
        requests.push(request)
        data = []
        body.begin(head.bodyLength)
        body.flows = true
        if (!isPersistent(head)) request = last(request)
      } else {
        const used = body.read(rest, (part) => data.push(part))
        if (used === -1) return { requests, refused: 'bad-chunk' }
        rest = rest.subarray(used)
      }
      request.body = Buffer.concat(data)
      request.isWhole = body.done
      if (!body.done) continue
      if (closing.has(request)) return { requests, refused: '' }
      request = null
    }
  }
  return { requests, refused: '' }
}

/** Requests after which the connection ends. */
const closing = new WeakSet<OwnRequest>()
function last(request: OwnRequest): OwnRequest {
  closing.add(request)
  return request
}

function parseHead(text: string): Exclude<ReturnType<typeof frameRequest>, string> | string {
  const parsed = parseRequestHead(text, MAX_HEADERS)
  if (typeof parsed === 'string') return parsed
  const head = frameRequest(parsed)
  if (typeof head === 'string') return head
  return parseTarget(head.target, head.method) === null ? 'bad-target' : head
}
