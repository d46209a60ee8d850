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
  if (!(value >= 0 && value < MOST_MS))
    return value >= MOST_MS && Number.isFinite(value) ? String(Math.round(value)) : 'null'
  const micros = Math.round(value * 1000)
  const whole = Math.floor(micros / 1000)
  const part = micros - whole * 1000
  return part === 0 ? String(whole) : `${whole}.${THOUSANDTHS[part]!}`
}

/** A fortnight: beyond it nobody counts microseconds, and they would not be exact. */
const MOST_MS = 2 ** 30
/** `001` to `999` without the zeros at their ends: a decimal fraction is dear to write. */
const THOUSANDTHS = Array.from({ length: 1000 }, (_, i) => String(i).padStart(3, '0').replace(/0+$/, ''))
