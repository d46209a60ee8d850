/**
 * How the key of a ring entry stands in the file. One form is known: in the clear, under the file's mode. A form under a
 * key-encrypting key is another `KeyProvider`: the ring asks nothing more of one.
 */

export interface KeyProvider {
  /** Name of the form, and of the member. */
  readonly form: string
  /** The key, or the end of a sentence that says why there is none. */
  unwrap(text: string): Buffer | string
  wrap(key: Buffer): string
}

/** The key itself, base64url. */
export const PLAIN: KeyProvider = {
  form: 'plain',
  unwrap(text) {
    const key = Buffer.from(text, 'base64url')
    return key.toString('base64url') === text ? key : 'is not base64url'
  },
  wrap: (key) => key.toString('base64url'),
}
