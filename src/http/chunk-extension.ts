/**
 * Follows the grammar of chunk extensions byte by byte (RFC 9112, 7.1.1), strictly: no white space, every name and value
 * there. Knows no chunk and keeps nothing of what it reads.
 */
import { TOKEN } from './headers.ts'

const NAME_START = 0
const NAME = 1
const VALUE_START = 2
const VALUE = 3
const QUOTED = 4
const ESCAPED = 5
const QUOTE_END = 6

const IS_TOKEN = Uint8Array.from({ length: 256 }, (_, code) => (TOKEN.test(String.fromCharCode(code)) ? 1 : 0))

const SEMICOLON = 0x3b
const EQUALS = 0x3d
const QUOTE = 0x22
const BACKSLASH = 0x5c

export class ChunkExtension {
  #state = NAME_START

  /** The `;` before the first one was read. */
  begin(): void {
    this.#state = NAME_START
  }

  /** True where the line may end here. */
  get isWhole(): boolean {
    return this.#state === NAME || this.#state === VALUE || this.#state === QUOTE_END
  }

  /** The next byte. False where it cannot stand here. */
  read(byte: number): boolean {
    switch (this.#state) {
      case NAME_START:
      case VALUE_START:
        return this.#start(byte)
      case QUOTED:
        if (byte === QUOTE) this.#state = QUOTE_END
        else if (byte === BACKSLASH) this.#state = ESCAPED
        return isQuotable(byte)
      case ESCAPED:
        this.#state = QUOTED
        return isQuotable(byte)
      default:
        return this.#goOn(byte)
    }
  }

  #start(byte: number): boolean {
    if (byte === QUOTE && this.#state === VALUE_START) {
      this.#state = QUOTED
      return true
    }
    this.#state = this.#state === NAME_START ? NAME : VALUE
    return IS_TOKEN[byte] === 1
  }

  #goOn(byte: number): boolean {
    if (byte === SEMICOLON) {
      this.#state = NAME_START
      return true
    }
    if (byte === EQUALS && this.#state === NAME) {
      this.#state = VALUE_START
      return true
    }
    return this.#state !== QUOTE_END && IS_TOKEN[byte] === 1
  }
}

/** qdtext and quoted-pair of RFC 9110, 5.6.4, without obs-text. */
function isQuotable(byte: number): boolean {
  return byte === 0x09 || (byte >= 0x20 && byte <= 0x7e)
}
