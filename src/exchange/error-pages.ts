/**
 * Pages of the operator's own for refusals. Nothing of a request gets into them but the id that the gateway made or accepted, and
 * the status.
 */
import type { Failure } from '../errors.ts'

const PLACES = /\{\{(status|requestId)\}\}/

/** By status (`404`), by class (`5xx`), or by the code of a failure. */
export class ErrorPages {
  readonly #pages: ReadonlyMap<string, readonly string[]>

  constructor(texts: ReadonlyMap<string, string>) {
    // Every second piece is the name of a place.
    this.#pages = new Map([...texts].map(([key, text]) => [key, text.split(PLACES)]))
  }

  /** Null where there is none. The id has letters, digits and hyphens only. */
  page({ code, status }: Failure, requestId: string): Buffer | null {
    const pieces = this.#pages.get(code) ?? this.#pages.get(String(status)) ?? this.#pages.get(`${String(status)[0]}xx`)
    if (pieces === undefined) return null
    let text = ''
    for (let i = 0; i < pieces.length; i++) {
      text += i % 2 === 0 ? pieces[i] : pieces[i] === 'status' ? String(status) : requestId
    }
    return Buffer.from(text)
  }
}
