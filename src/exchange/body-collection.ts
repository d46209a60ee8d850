/** A request body that is put together, under a cap. It knows no exchange. */
export class BodyCollection {
  readonly maxBytes: number
  readonly onCollected: (body: Buffer) => void
  readonly pieces: Buffer[] = []

  constructor(maxBytes: number, onCollected: (body: Buffer) => void) {
    this.maxBytes = maxBytes
    this.onCollected = onCollected
  }

  whole(): Buffer {
    return this.pieces.length === 1 ? this.pieces[0]! : Buffer.concat(this.pieces)
  }
}
