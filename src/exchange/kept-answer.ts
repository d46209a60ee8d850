/**
 * Room for what is made of the head of an answer that comes again, equal byte for byte: an upstream engine that recognises
 * it hands the same object over with it. It knows no engine.
 */
import type { HeaderList } from '../http/headers.ts'
import type { HeaderEdits } from './contracts.ts'

export class KeptAnswer {
  readonly status: number
  readonly headers: HeaderList
  /** True once it was found that the head passes as it is: nothing to refuse, to take out, or to treat otherwise. */
  isPlain = false
  block: AnswerBlock | null = null

  constructor(status: number, headers: HeaderList) {
    this.status = status
    this.headers = headers
  }
}

/** Status line and fields as an HTTP/1.1 client gets them; it holds only under the same edits. */
export interface AnswerBlock {
  readonly edits: HeaderEdits
  readonly bytes: Buffer
  readonly hasDate: boolean
  /** Bytes of the body; -1 chunked. */
  readonly bodyLength: number
}
