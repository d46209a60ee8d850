/** JSON documents on a line each (application/x-ndjson, application/jsonl), cleaned one by one. It knows no exchange. */
import type { CleanedPayload } from './polling.ts'
import { type Cleaned, UNREADABLE } from './rules.ts'

const MAX_LINES = 1000

/** Cleans every line, all or none. Each is bounded by `maxBytes`; empty lines and CRLF stay as they are. */
export function cleanLines(clean: (json: string) => Cleaned, maxBytes: number, body: string): CleanedPayload {
  const lines = body.split('\n', MAX_LINES + 1)
  if (lines.length > MAX_LINES) return 'too-large'
  let changed = false
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!
    const end = line.endsWith('\r') ? '\r' : ''
    const document = end === '' ? line : line.slice(0, -1)
    if (document === '') continue
    // To JSON it is a space, to some readers the end of a line.
    if (document.includes('\r')) return UNREADABLE
    if (Buffer.byteLength(document) > maxBytes) return 'too-large'
    const cleaned = clean(document)
    if (cleaned.outcome === 'refused') return cleaned
    if (cleaned.outcome === 'same') continue
    changed = true
    lines[i] = cleaned.text + end
  }
  return changed ? { outcome: 'changed', text: lines.join('\n') } : { outcome: 'same', text: body }
}
