/**
 * Addresses that are never public, found in text: private, shared, loopback and link-local ones (RFC 1918, 6598, 3927, 4193,
 * 4291). One pass, without backtracking. It knows no header.
 */

const BYTE = '(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)'
const IPV4 = [
  `(?:10|127|0)\\.${BYTE}\\.${BYTE}\\.${BYTE}`,
  `192\\.168\\.${BYTE}\\.${BYTE}`,
  `169\\.254\\.${BYTE}\\.${BYTE}`,
  `172\\.(?:1[6-9]|2\\d|3[01])\\.${BYTE}\\.${BYTE}`,
  `100\\.(?:6[4-9]|[7-9]\\d|1[01]\\d|12[0-7])\\.${BYTE}\\.${BYTE}`,
].join('|')
/** Four groups or a `::` are asked for, so that times and hashes with colons are none. */
const IPV6 = [
  '\\[?::1(?![0-9a-f:])',
  'f[cd][0-9a-f]{2}(?::[0-9a-f]{1,4}){0,6}::',
  'f[cd][0-9a-f]{2}(?::[0-9a-f]{1,4}){3,7}',
  'fe[89ab][0-9a-f](?::[0-9a-f]{1,4}){0,6}::',
  'fe[89ab][0-9a-f](?::[0-9a-f]{1,4}){3,7}',
].join('|')
const FOUND = new RegExp(`(?<![\\d.])(?:${IPV4})(?![\\d]|\\.\\d)|(?<![0-9a-z:])(?:${IPV6})`, 'i')

/** True where some address of the inside stands in the text, also as part of a URL. */
export function holdsInternalAddress(text: string): boolean {
  return FOUND.test(text)
}

/** Finds host names in text: with a dot anywhere, without one only in a URL or before a port, where words end. */
export class InternalNames {
  readonly #pattern: RegExp | null

  constructor(names: readonly string[]) {
    const parts = [...new Set(names.map((name) => name.toLowerCase()))].map((name) => {
      if (name.startsWith('*.')) return `[a-z0-9.-]+${escaped(name.slice(1))}(?![a-z0-9-])`
      const end = '(?![a-z0-9-]|\\.[a-z0-9])'
      return name.includes('.') || name.includes(':')
        ? `(?<![a-z0-9.-])${escaped(name)}${end}`
        : `(?<=//)${escaped(name)}${end}|(?<![a-z0-9.-])${escaped(name)}(?=:\\d)`
    })
    this.#pattern = parts.length === 0 ? null : new RegExp(parts.join('|'), 'i')
  }

  isIn(text: string): boolean {
    return this.#pattern?.test(text) === true
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
}
