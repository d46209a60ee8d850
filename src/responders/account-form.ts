/** Reads what the pages of an account send: a form, or the same fields as JSON from a program. It judges no password. */
import { readMembers } from './json-body.ts'

export interface AccountForm {
  readonly user: string
  readonly password: string
  /** Null where the field is empty. */
  readonly code: string | null
  readonly newPassword: string
  readonly again: string
  /** A path of this listener. */
  readonly next: string
}

const FIELDS = ['user', 'password', 'code', 'newPassword', 'again', 'next']
const MOST_FIELD = 4096

/** Null for another media type, repeated or unknown fields, and what is no UTF-8. */
export function readAccountForm(type: string, body: Buffer): AccountForm | null {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    return null
  }
  const fields = type === 'application/json' ? jsonFields(text) : formFields(text)
  if (fields === null) return null
  const field = (name: string): string => (fields.get(name) ?? '').normalize('NFC')
  return {
    user: field('user').trim(),
    password: field('password'),
    code: field('code').trim() === '' ? null : field('code').trim(),
    newPassword: field('newPassword'),
    again: field('again'),
    next: safeNext(fields.get('next') ?? null),
  }
}

function formFields(text: string): Map<string, string> | null {
  const fields = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(text)) {
    if (!FIELDS.includes(name) || fields.has(name) || value.length > MOST_FIELD) return null
    fields.set(name, value)
  }
  return fields
}

function jsonFields(text: string): Map<string, string> | null {
  const members = readMembers(text)
  if (members === null) return null
  const fields = new Map<string, string>()
  for (const [name, each] of Object.entries(members)) {
    if (!FIELDS.includes(name) || typeof each !== 'string' || each.length > MOST_FIELD) return null
    fields.set(name, each)
  }
  return fields
}

/** A path of our own, or the list: never another site. */
export function safeNext(next: string | null): string {
  return next !== null && next.length <= 4096 && /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(next) ? next : '/'
}
