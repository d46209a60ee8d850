/**
 * Marks the session id in the first answer of Engine.IO long-polling, in each of its forms: plain (version 4), with its
 * length (3), in bytes (1 and 2 of socket.io), and as a script. It knows no endpoint.
 */

/** The word for the client before the packet, its length, and the packet as far as the id. */
const FORMS: readonly RegExp[] = [
  /^()()(0\{(?:"[A-Za-z]+":(?:\d+|"[^"\\]*"|\[[^\]]*\]),)*"sid":")[\w-]/,
  /^()(\d{1,6}:)(0\{(?:"[A-Za-z]+":(?:\d+|"[^"\\]*"|\[[^\]]*\]),)*"sid":")[\w-]/,
  /^()(\x00[\x00-\x09]{1,6}\xff)(0\{(?:"[A-Za-z]+":(?:\d+|"[^"\\]*"|\[[^\]]*\]),)*"sid":")[\w-]/,
  /^((?:\/\*\*\/)?___eio\[\d{1,9}\]\(")((?:\d{1,6}:)?)(0\{(?:\\"[A-Za-z]+\\":(?:\d+|\\"[^"\\]*\\"|\[[^\]]*\]),)*\\"sid\\":\\")[\w-]/,
]

/** The body with `mark` and a dot before the session id; the body as it is where it begins with no open packet. */
export function markOpenPacket(body: Buffer, mark: string): Buffer {
  // Lengths count characters or bytes: what is added is the same in both, and latin1 keeps every byte.
  const text = body.toString('latin1')
  for (const form of FORMS) {
    const found = form.exec(text)
    if (found === null) continue
    const [, before, length, start] = found as unknown as [string, string, string, string]
    const added = mark.length + 1
    const rest = text.slice(before.length + length.length + start.length)
    return Buffer.from(`${before}${grown(length, added)}${start}${mark}.${rest}`, 'latin1')
  }
  return body
}

function grown(length: string, by: number): string {
  if (length === '') return ''
  if (length.endsWith(':')) return `${Number(length.slice(0, -1)) + by}:`
  let value = 0
  for (let i = 1; i < length.length - 1; i++) value = value * 10 + length.charCodeAt(i)
  const digits = String(value + by)
  return `\x00${String.fromCharCode(...[...digits].map(Number))}\xff`
}
