/**
 * Judges new passwords, and when a present one is too old. The presets name the standard that they keep. It knows no hash
 * but by `isSame`, and no account beyond what it is told.
 */
import type { PasswordsConfig } from '../config/access-shape.ts'
import { isCommonPassword } from './common-passwords.ts'
import { MAX_PASSWORD_BYTES } from './passwords.ts'

const DAY_MS = 86_400_000

export interface PasswordRules {
  readonly minLength: number
  /** How many of: upper-case letters, lower-case letters, digits, other characters. */
  readonly classes: number
  readonly letterAndDigit: boolean
  readonly first: 'any' | 'letter'
  readonly notUserName: boolean
  readonly notCommon: boolean
  /** The last so many may not come again, the present one among them. */
  readonly remembered: number
  /** Milliseconds after which a password must be changed; 0: never. */
  readonly maxAgeMs: number
}

/** PCI DSS 4.0.1: 8.3.6, 8.3.7, 8.3.9; PCI DSS 3.2.1: 8.2.3, 8.2.4, 8.2.5; `legacy` what older contact-centre software asked. */
export const PASSWORD_PRESETS: Readonly<Record<PasswordsConfig['preset'], PasswordRules>> = {
  'pci-4': {
    minLength: 12,
    classes: 2,
    letterAndDigit: true,
    first: 'any',
    notUserName: true,
    notCommon: true,
    remembered: 4,
    maxAgeMs: 90 * DAY_MS,
  },
  'pci-3.2.1': {
    minLength: 7,
    classes: 2,
    letterAndDigit: true,
    first: 'any',
    notUserName: true,
    notCommon: true,
    remembered: 4,
    maxAgeMs: 90 * DAY_MS,
  },
  legacy: {
    minLength: 8,
    classes: 3,
    letterAndDigit: true,
    first: 'letter',
    notUserName: true,
    notCommon: true,
    remembered: 4,
    maxAgeMs: 90 * DAY_MS,
  },
}

/** The rules of a configuration: its preset, with what is set apart. */
export function passwordRules(config: PasswordsConfig): PasswordRules {
  const preset = PASSWORD_PRESETS[config.preset]
  return {
    minLength: config.minLength ?? preset.minLength,
    classes: config.classes ?? preset.classes,
    letterAndDigit: config.letterAndDigit ?? preset.letterAndDigit,
    first: config.first ?? preset.first,
    notUserName: config.notUserName ?? preset.notUserName,
    notCommon: config.notCommon ?? preset.notCommon,
    remembered: config.remembered ?? preset.remembered,
    maxAgeMs: config.maxAgeDays === undefined ? preset.maxAgeMs : config.maxAgeDays * DAY_MS,
  }
}

/** What is wrong with a new password, each as "must ..."; empty where nothing is. */
export function checkNewPassword(rules: PasswordRules, password: string, user: string | null): string[] {
  const problems: string[] = []
  const text = password.normalize('NFC')
  if (Buffer.byteLength(text) > MAX_PASSWORD_BYTES) return [`must have at most ${MAX_PASSWORD_BYTES} bytes`]
  if ([...text].length < rules.minLength) problems.push(`must have at least ${rules.minLength} characters`)
  if (/[\p{Cc}\p{Cs}]/u.test(text)) problems.push('must have no control characters')
  if (rules.letterAndDigit && !(/\p{L}/u.test(text) && /\p{Nd}/u.test(text))) {
    problems.push('must have both letters and digits')
  }
  let classes = 0
  for (const each of CLASSES) if (each.test(text)) classes++
  if (classes < rules.classes) {
    problems.push(
      `must have ${COUNTS[rules.classes]} of: upper-case letters, lower-case letters, digits, other characters`,
    )
  }
  if (rules.first === 'letter' && !/^\p{L}/u.test(text)) problems.push('must begin with a letter')
  if (rules.notUserName && user !== null && contains(text, user)) problems.push('must not contain the user name')
  if (rules.notCommon && isCommonPassword(text)) {
    problems.push('must not be one that is often used, a row of keys or a repetition')
  }
  return problems
}

/** The sentences that a person reads before choosing. */
export function describeRules(rules: PasswordRules): string[] {
  const lines = [`at least ${rules.minLength} characters`]
  if (rules.letterAndDigit) lines.push('letters and digits')
  if (rules.classes > 2 || (rules.classes === 2 && !rules.letterAndDigit)) {
    lines.push(`${COUNTS[rules.classes]} of: upper-case letters, lower-case letters, digits, other characters`)
  }
  if (rules.first === 'letter') lines.push('a letter first')
  if (rules.notUserName) lines.push('not containing the user name')
  if (rules.notCommon) lines.push('none that is often used, no row of keys, no repetition')
  if (rules.remembered > 0) lines.push(`none of the last ${rules.remembered}`)
  return lines
}

/** True where the password must be changed for its age. An age that is not known is counted from the next sign-in. */
export function isTooOld(rules: PasswordRules, changedAt: number | null, now: number): boolean {
  return rules.maxAgeMs > 0 && changedAt !== null && now - changedAt > rules.maxAgeMs
}

const CLASSES = [/\p{Lu}/u, /\p{Ll}/u, /\p{Nd}/u, /[^\p{Lu}\p{Ll}\p{Nd}]/u]
const COUNTS = ['none', 'one', 'two', 'three', 'all four']
/** A name of one or two letters is in every word. */
const LEAST_NAME = 3

function contains(password: string, user: string): boolean {
  const name = user.normalize('NFC').toLowerCase()
  return name.length >= LEAST_NAME && password.toLowerCase().includes(name)
}
