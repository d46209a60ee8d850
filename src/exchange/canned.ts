/**
 * Answers to bytes that never became an exchange: whole HTTP/1.1 messages, built once for a listener, security headers
 * included. They say nothing that the client sent.
 */
import { STATUS_CODES } from 'node:http'
import { FAILURES, type FailureCode } from '../errors.ts'
import type { HeaderEdits } from './contracts.ts'
import { applyEdits } from './edits.ts'

/** A look-up that never fails; each answer says `Connection: close`. */
export function cannedAnswers(edits: HeaderEdits): (code: FailureCode) => Buffer {
  const answers = new Map<FailureCode, Buffer>()
  for (const code of Object.keys(FAILURES) as FailureCode[]) answers.set(code, cannedAnswer(code, edits))
  return (code) => answers.get(code)!
}

function cannedAnswer(code: FailureCode, edits: HeaderEdits): Buffer {
  const { status, title } = FAILURES[code]
  const body = `${JSON.stringify({ type: 'about:blank', title, status, code })}\n`
  const headers = applyEdits(['content-type', 'application/problem+json'], edits)
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`
  return Buffer.from(
    `${head}${edits.setLines}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    'latin1',
  )
}
