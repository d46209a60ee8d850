/**
 * A text that was joined from parts and may be written again: from the second time on it is in one piece, and writing it is
 * one copy. It knows nothing of what it says.
 */
export class RepeatedText {
  #text: string
  #isWhole = false

  constructor(text: string) {
    this.#text = text
  }

  /** The text, for another time than the first. */
  again(): string {
    if (!this.#isWhole) {
      this.#isWhole = true
      // JavaScript has no other way to say it: a string out of bytes has no parts.
      this.#text = Buffer.from(this.#text).toString()
    }
    return this.#text
  }
}
