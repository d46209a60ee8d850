/** The gateway's reading of the bytes of one connection: its parsers one after the other, without a socket. */
import type { HttpLimits } from '../../src/exchange/contracts.ts'
import { Http1Body } from '../../src/exchange/http1-body.ts'
import { type Http1Head, readHttp1Head } from '../../src/exchange/http1-head.ts'
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

const LIMITS = { maxHeaderBytes: 16 * 1024, maxTargetBytes: 8 * 1024, maxHeaders: 100 } as HttpLimits

/** Whole requests in order; a last one may lack the end of its body. */
export function readOwn(pieces: readonly Buffer[]): OwnReading {
  const requests: OwnRequest[] = []
  const heads = new RequestHeadReader()
  const body = new Http1Body()
  let request: OwnRequest | null = null
  let known: Http1Head | null = null
  let data: Buffer[] = []
  for (const piece of pieces) {
    let rest: Buffer | null = piece
    while (rest !== null && rest.length > 0) {
      if (request === null) {
        // As a connection does: a head that is equal to the one before is not read again.
        const repeated: number = known === null || heads.isBegun ? 0 : known.standsIn(rest, LIMITS)
        if (repeated > 0) rest = rest.subarray(repeated)
        else {
          const found = heads.read(rest, LIMITS)
          if (found === 'more') break
          if (found !== 'whole') return { requests, refused: found }
          rest = heads.rest
          const read = readHttp1Head(heads.text, LIMITS)
          if (typeof read === 'string') return { requests, refused: read }
          known = read
        }
        const { head, isPersistent } = known!
        if (parseTarget(head.target, head.method) === null) return { requests, refused: 'bad-target' }
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
        if (!isPersistent) request = last(request)
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
