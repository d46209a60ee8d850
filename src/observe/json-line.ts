/** JSON text for log lines, by concatenation: bounded, and free of raw control characters. Knows no field's meaning. */

const PLAIN = /^[ !#-[\]-~]*$/
const UNSAFE = /[\x7f-\x9f\u2028\u2029]/g

/** A JSON string of at most `maxLength` characters of the text; the cut is marked by an ellipsis. */
export function jsonText(text: string, maxLength: number): string {
  const short = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text
  if (PLAIN.test(short)) return `"${short}"`
  return JSON.stringify(short.toWellFormed()).replace(
    UNSAFE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** The same, null for an empty text. */
export function jsonTextOrNull(text: string, maxLength: number): string {
  return text === '' ? 'null' : jsonText(text, maxLength)
}

/** A JSON number with three decimals at most; null where there is none (negative or not finite). */
export function jsonMs(value: number): string {
  return value >= 0 && Number.isFinite(value) ? String(Math.round(value * 1000) / 1000) : 'null'
}
