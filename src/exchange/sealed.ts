/** Where features meet about what is sealed: tokens in URLs, content at rest. They know these shapes and no key. */

/** Makes the tokens that stand in URLs for identifiers. */
export interface UrlSealer {
  /** True for what is one by its form. */
  isToken(text: string): boolean
  /** A token of a kind that the configuration names. */
  seal(kind: string, value: string): string
}

/** Names that stand in URLs only as tokens. */
export interface NameTokens {
  looksLikeToken(text: string): boolean
  /** Null where the name is too long for one. */
  seal(name: string): string | null
  open(token: string): { readonly kind: 'valid' | 'expired'; readonly value: string } | { readonly kind: 'invalid' }
}

/** Content of a stored file, of which any part can be read. */
export interface StoredContent {
  /** Bytes. */
  readonly size: number
  /** Null where it cannot be read, or is not genuine. */
  read(position: number, length: number): Promise<Buffer | null>
}

/** Fills the buffer from a place; less than the whole only at the end of the file. */
export type ReadAt = (buffer: Buffer, position: number) => Promise<number>

/** Opens what was sealed under this name; null for what was not, or is damaged. */
export type SealedOpener = (name: string, storedBytes: number, readAt: ReadAt) => Promise<StoredContent | null>
