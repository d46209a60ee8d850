/**
 * Turns what the declaration found wrong into sentences for a person, each with its place. It echoes names and numbers,
 * never a text that could be a secret.
 */
import type { z } from 'zod'
import type { ConfigDocument, Problem, SettingPath } from './document.ts'
import { descriptionOf, keysAt, type Schema, schemasAt } from './shape-walk.ts'
import { suggestion } from './suggestion.ts'

type Issue = z.core.$ZodIssue
const MAX_LISTED = 24

const KINDS: Record<string, string> = {
  string: 'a text',
  // No setting takes a fraction.
  number: 'a whole number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return Number.isFinite(value) ? `the number ${value}` : 'a number out of range'
  return KINDS[typeof value] ?? typeof value
}

const quote = (text: string): string => JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}...` : text)
const listed = (words: readonly unknown[]): string =>
  words
    .slice(0, MAX_LISTED)
    .map((word) => JSON.stringify(word))
    .join(', ') + (words.length > MAX_LISTED ? ', ...' : '')
const many = (amount: number | bigint, word: string): string => `${amount} ${word}${amount === 1 ? '' : 's'}`

/** The words for an issue whose declaration brings none of its own. */
export const sentenceFor: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${KINDS[issue.expected ?? ''] ?? issue.expected}, not ${kindOf(issue.input)}`
    case 'invalid_value': {
      const values = issue.values ?? []
      const choice = values.length === 1 ? `must be ${listed(values)}` : `must be one of ${listed(values)}`
      if (typeof issue.input !== 'string') return `${choice}, not ${kindOf(issue.input)}`
      return `${choice}, not ${quote(issue.input)}${suggestion(issue.input, values.map(String))}`
    }
    case 'too_small':
      return bound(issue.origin, issue.minimum ?? 0, 'least', issue.input)
    case 'too_big':
      return bound(issue.origin, issue.maximum ?? 0, 'most', issue.input)
    case 'invalid_union':
      return 'has the wrong form'
    default:
      return 'is not valid'
  }
}

function bound(origin: string | undefined, limit: number | bigint, side: 'least' | 'most', input: unknown): string {
  const isEmpty = side === 'least' && limit === 1
  if (origin === 'string') return isEmpty ? 'is empty' : `must have at ${side} ${many(limit, 'character')}`
  if (origin === 'array')
    return isEmpty
      ? 'is empty; name at least one'
      : `must have at ${side} ${many(limit, 'entr')}`.replace(/entrs?$/, limit === 1 ? 'entry' : 'entries')
  return `must be at ${side} ${limit}, not ${String(input)}`
}

/** All issues as problems with their places. */
export function problemsOf(issues: readonly Issue[], root: Schema, document: ConfigDocument): Problem[] {
  return issues.flatMap((issue) => explain(issue, [], root, document))
}

function explain(issue: Issue, above: SettingPath, root: Schema, document: ConfigDocument): Problem[] {
  const path = [...above, ...(issue.path as (string | number)[])]
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey([...path, key], root, document))
  if (!document.has(path)) return [missing(path, root, document)]
  if (issue.code === 'invalid_key') {
    const sentence = issue.issues[0]?.message ?? 'is not a name'
    return [{ offset: document.keyOffsetOf(path), path, sentence, kind: 'value' }]
  }
  if (issue.code === 'invalid_union') {
    const branch = bestBranch(issue.errors, document.valueAt(path))
    if (branch !== null) return branch.flatMap((each) => explain(each, path, root, document))
  }
  return [{ offset: document.offsetOf(path), path, sentence: issue.message, kind: 'value' }]
}

/** The branch that the writer seems to have meant: the one whose kind fits and whose keys are there. */
function bestBranch(branches: readonly Issue[][], value: unknown): Issue[] | null {
  const fitting = branches.filter((issues) => !issues.some((issue) => isWrongKind(issue, value)))
  if (fitting.length === 1) return fitting[0]!
  // Several objects: only one that knows every key given can be told apart.
  const known = fitting.filter((issues) => !issues.some((issue) => issue.code === 'unrecognized_keys'))
  return known.length === 1 ? known[0]! : null
}

function isWrongKind(issue: Issue, value: unknown): boolean {
  if (issue.path.length > 0) return false
  return issue.code === 'invalid_type' || (issue.code === 'invalid_value' && typeof value !== 'string')
}

/** `Why this` becomes `why this`, `URL of` stays. */
const lowerFirst = (text: string): string => (/^[A-Z][a-z ]/.test(text) ? text[0]!.toLowerCase() + text.slice(1) : text)

function missing(path: SettingPath, root: Schema, document: ConfigDocument): Problem {
  const said = schemasAt(root, path)
    .map(descriptionOf)
    .find((each) => each !== '')
  const sentence = said === undefined ? 'is missing' : `is missing: ${lowerFirst(said.replace(/\.(?: .*)?$/s, ''))}`
  return { offset: document.offsetOf(path), path, sentence, kind: 'missing' }
}

function unknownKey(path: SettingPath, root: Schema, document: ConfigDocument): Problem {
  const key = String(path.at(-1))
  const allowed = keysAt(root, path.slice(0, -1))
  const otherwise = allowed.length === 0 ? '' : `; here may stand ${allowed.join(', ')}`
  const sentence = `no such setting${suggestion(key, allowed, otherwise)}`
  return { offset: document.keyOffsetOf(path), path, sentence, kind: 'value' }
}
