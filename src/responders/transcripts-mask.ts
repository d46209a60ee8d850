/**
 * Masks payment cards in the bytes of a stored transcript without changing their number, so that lengths and ranges stay
 * true. It knows no file.
 */
import { isUtf8 } from 'node:buffer'
import { maskCardData } from '../cards/mask.ts'
import type { TranscriptKind } from './transcripts-path.ts'

/** Bytes on either side of a piece that decide what in it is a card: more than a card, its date and its code take. */
export const CARD_SURROUNDINGS = 1024

/** In JSON a number stands without quotes: asterisks would break the document. */
const BARE_CARD = /((?:[^\\]"\s{0,8}:|\[)\s{0,8})(\*{8,15}\d{4})(?=\s{0,8}[,}\]])/g
const BARE_CODE = /([^\\]"\s{0,8}:\s{0,8})(\*{3,4})(?=\s{0,8}[,}\]])/g

/** As many bytes as came: the very ones where no card stands in them. A piece may begin and end within a character. */
export function maskTranscript(bytes: Buffer, kind: TranscriptKind): Buffer {
  const from = firstWhole(bytes)
  const to = lastWhole(bytes, from)
  const middle = bytes.subarray(from, to)
  // What is no UTF-8 is read byte for byte: ASCII digits stand in every encoding that can be meant.
  const encoding = isUtf8(middle) ? 'utf8' : 'latin1'
  const text = middle.toString(encoding)
  const masked = maskCardData(text, 'last4', ignore, encoding === 'utf8' ? 'bytes' : 'units')
  if (masked === text) return bytes
  const written = kind === 'json' ? masked.replace(BARE_CARD, asFraction).replace(BARE_CODE, asFraction) : masked
  return Buffer.concat([bytes.subarray(0, from), Buffer.from(written, encoding), bytes.subarray(to)])
}

/** A number of the same length that nobody takes for a card's, with the digits that may be seen at its end. */
function asFraction(_whole: string, before: string, masked: string): string {
  return `${before}0.${masked.slice(2).replaceAll('*', '0')}`
}

function firstWhole(bytes: Buffer): number {
  let from = 0
  while (from < 3 && from < bytes.length && (bytes[from]! & 0xc0) === 0x80) from++
  return from
}

/** Before a character of UTF-8 that the piece cuts off. */
function lastWhole(bytes: Buffer, from: number): number {
  for (let at = bytes.length - 1; at >= from && at > bytes.length - 4; at--) {
    const byte = bytes[at]!
    if (byte < 0x80) break
    if (byte < 0xc0) continue
    const length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
    return at + length > bytes.length ? at : bytes.length
  }
  return bytes.length
}

function ignore(): void {}
