/**
 * Loads the configuration file: all of its mistakes at once, each with line, column and a sentence, or the checked value.
 * It decides nothing that the settings mean to the running gateway.
 */
import { isUtf8 } from 'node:buffer'
import { ConfigurationError } from '../errors.ts'
import { checkCompression } from './compression-checks.ts'
import { checkCors } from './cors-checks.ts'
import { ConfigDocument, type Problem, pathText, type SettingPath } from './document.ts'
import { readBounded } from './file-reader.ts'
import { checkFiles } from './files.ts'
import { Findings } from './findings.ts'
import { checkIssuers } from './issuer-checks.ts'
import { checkKeys } from './key-checks.ts'
import { checkListeners } from './listener-checks.ts'
import { checkReferences } from './references.ts'
import { checkRoutes } from './route-checks.ts'
import type { Environment } from './secrets.ts'
import { problemsOf, sentenceFor } from './sentences.ts'
import { type Configuration, configuration } from './shape.ts'

const MAX_BYTES = 4 * 1024 ** 2
const MAX_PROBLEMS = 100

/** Where a configuration came from. */
export interface ConfigurationSource {
  /** As it was given. */
  readonly path: string
  readonly text: string
  /** `config/gateway.json:23:40 routes[0].limits[1]`: for mistakes that show only later, a port that is taken for one. */
  locate(setting: SettingPath): string
}

export interface LoadedConfiguration {
  readonly configuration: Configuration
  readonly source: ConfigurationSource
  /** What is allowed but hardly meant, in the form of the errors. */
  readonly warnings: readonly string[]
}

export interface LoadOptions {
  readonly env: Environment
  /** False: do not look whether the files and secrets that the configuration names are there. Default: true. */
  readonly checkFiles?: boolean
}

/** Reads and checks a file; throws ConfigurationError with every mistake found. */
export function loadConfiguration(path: string, options: LoadOptions): LoadedConfiguration {
  const bytes = readBounded(path, { maxBytes: MAX_BYTES, isSecret: false })
  if (typeof bytes === 'string') throw new ConfigurationError([`${path}: ${bytes}`])
  if (!isUtf8(bytes)) throw new ConfigurationError([`${path}: is not UTF-8 text; save it in that encoding`])
  return parseConfiguration(path, bytes.toString('utf8').replace(/^\ufeff/, ''), options)
}

/** Checks a text; `path` is what messages call it. Throws ConfigurationError. */
export function parseConfiguration(path: string, text: string, options: LoadOptions): LoadedConfiguration {
  if (text.trim() === '')
    throw new ConfigurationError([
      `${path}: is empty; write at least { "listeners": ..., "services": ..., "routes": ... }`,
    ])
  const document = new ConfigDocument(text)
  const findings = new Findings(document)
  // Not even a beginning could be read: every setting would seem to be missing.
  if (document.value === undefined) throw new ConfigurationError(lines(path, document.problems, document))
  const checked = configuration.safeParse(document.value, { error: sentenceFor, reportInput: false })
  const declared = checked.success ? [] : problemsOf(checked.error.issues, configuration, document)
  checkReferences(document.value, findings)
  checkListeners(document.value, findings)
  checkRoutes(document.value, findings)
  checkCompression(document.value, findings)
  checkCors(document.value, findings)
  checkKeys(document.value, findings)
  checkIssuers(document.value, findings)
  if (options.checkFiles !== false) checkFiles(document.value, options.env, findings)

  const problems = [...document.problems, ...declared, ...findings.errors]
  const told = firstOfEach(problems.filter((problem) => isCertain(problem, document)))
  if (told.length > 0 || !checked.success) throw new ConfigurationError(lines(path, told, document))
  return {
    configuration: deepFreeze(checked.data),
    source: { path, text, locate: (setting) => line(path, setting, document.offsetOf(setting), document) },
    warnings: lines(path, firstOfEach(findings.warnings), document),
  }
}

/** Behind the place where the reader is lost, a setting may seem wrong or missing that is neither. */
function isCertain(problem: Problem, document: ConfigDocument): boolean {
  if (problem.kind === 'syntax' || document.lostAt === Number.POSITIVE_INFINITY) return true
  return problem.kind !== 'reference' && document.endOf(problem.path) <= document.lostAt
}

/** By position; one sentence per setting, because the first mistake explains the others. */
function firstOfEach(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>()
  const sorted = [...problems].sort((a, b) => a.offset - b.offset)
  return sorted.filter((problem) => {
    const key = `${problem.offset} ${pathText(problem.path)}`
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}

function lines(path: string, problems: readonly Problem[], document: ConfigDocument): string[] {
  const said = problems
    .slice(0, MAX_PROBLEMS)
    .map((problem) => `${line(path, problem.path, problem.offset, document)}: ${problem.sentence}`)
  if (problems.length > MAX_PROBLEMS) said.push(`${path}: and ${problems.length - MAX_PROBLEMS} more`)
  return said
}

function line(path: string, setting: SettingPath, offset: number, document: ConfigDocument): string {
  const name = pathText(setting)
  return `${path}:${document.position(offset)}${name === '' ? '' : ` ${name}`}`
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const each of Object.values(value)) deepFreeze(each)
  }
  return value
}
