/**
 * A line of the audit log: bounded, and free of card numbers in every field. Every line goes through here, whoever records it:
 * what chains or signs lines takes them where this gives them. It knows no file.
 */
import type { AuditEvent } from '../exchange/contracts.ts'
import { jsonText, jsonTextOrNull } from './json-line.ts'

const MAX_OBJECT = 2048
const MAX_TEXT = 256

/** `hide` takes out what must not be logged. */
export function auditLine(event: AuditEvent, hide: (text: string) => string): string {
  return (
    `{"time":"${new Date().toISOString()}","event":${jsonText(event.event, MAX_TEXT)},"outcome":"${event.outcome}"` +
    `,"user":${jsonTextOrNull(hide(event.user), MAX_TEXT)},"address":${jsonTextOrNull(event.address, MAX_TEXT)}` +
    `,"requestId":${jsonTextOrNull(event.requestId, MAX_TEXT)},"object":${jsonTextOrNull(hide(event.object), MAX_OBJECT)}` +
    `,"reason":${jsonTextOrNull(hide(event.reason ?? ''), MAX_TEXT)}}`
  )
}
