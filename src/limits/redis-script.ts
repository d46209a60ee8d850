/** A script as Redis knows it: its text, and the digest by which it is called once a server has it. It knows no keys. */
import { createHash } from 'node:crypto'

export class RedisScript {
  readonly text: string
  /** Hexadecimal SHA-1, as EVALSHA takes it. */
  readonly digest: string

  constructor(text: string) {
    this.text = text
    this.digest = createHash('sha1').update(text).digest('hex')
  }
}
