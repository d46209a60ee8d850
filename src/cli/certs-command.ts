/** The command about certificates: lists, orders, imports and makes them. It knows files, and the admin listener's address. */
import { existsSync } from 'node:fs'
import { replacePrivateFile } from '../config/file-writer.ts'
import { ConfigurationError } from '../errors.ts'
import { loadCertificates } from '../listen/certificates.ts'
import { serverExtensions } from '../pki/extensions.ts'
import { makeOwnCertificate } from '../pki/own-certificate.ts'
import { makeSigningRequest, requestPem } from '../pki/signing-request.ts'
import { askAdmin } from './admin-request.ts'
import { certificateList } from './certs-list.ts'
import { complain, DONE, FAILED, print, UsageError } from './said.ts'

type Values = Readonly<Record<string, string | boolean | undefined>>

const ACTIONS = ['list', 'renew', 'import', 'self-signed', 'csr'] as const
const NAME = /^(?:\*\.)?[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$|^[0-9a-f:.]+$/
const DEFAULT_DAYS = 90
const MOST_DAYS = 396

/** `adminUrl` finds the admin listener for a command. @returns The exit code. */
export async function runCerts(
  values: Values,
  words: readonly string[],
  defaultConfig: string,
  adminUrl: (command: string, values: Values) => Promise<URL>,
): Promise<number> {
  const [word = '', name = '', ...more] = words
  const action = ACTIONS.find((each) => each === word)
  if (action === undefined) throw new UsageError(`certs: say what to do: ${ACTIONS.join(', ')}`)
  if (more.length > 0 || (name !== '') !== (action === 'renew')) {
    throw new UsageError(`certs ${action}: takes ${action === 'renew' ? 'one host name' : 'no name'}`)
  }
  if (action === 'list') return list(textOf(values.config) ?? defaultConfig, values.json === true)
  if (action === 'renew') return renew(await adminUrl('certs renew', values), name)
  const to = textOf(values.to)
  if (to === null) throw new UsageError(`certs ${action}: --to is missing; for example --to certs/chat`)
  if (action === 'import') return importPair(textOf(values.cert), textOf(values.key), to)
  const names = (textOf(values.names) ?? '').split(',').filter((each) => each !== '')
  if (names.length === 0 || names.some((each) => !NAME.test(each))) {
    throw new UsageError(`certs ${action}: --names takes host names in lower case and addresses, with commas between`)
  }
  return action === 'csr' ? makeRequest(names, to) : makeSelfSigned(names, to, daysOf(textOf(values.days)))
}

const textOf = (value: string | boolean | undefined): string | null => (typeof value === 'string' ? value : null)

function daysOf(text: string | null): number {
  const days = text === null ? DEFAULT_DAYS : Number(text)
  if (Number.isInteger(days) && days >= 1 && days <= MOST_DAYS) return days
  throw new UsageError(`certs self-signed: --days is a whole number from 1 to ${MOST_DAYS}`)
}

function list(config: string, asJson: boolean): number {
  const { rows, text } = certificateList(config)
  print(asJson ? `${JSON.stringify(rows, null, 2)}\n` : text)
  return rows.some(({ problems }) => problems.length > 0) ? FAILED : DONE
}

async function renew(base: URL, name: string): Promise<number> {
  const answer = await askAdmin(base, 'POST', '/certificates/renew', JSON.stringify({ name }))
  if ('problem' in answer) {
    complain(`portcullis: ${answer.problem}`)
    return FAILED
  }
  return print('ordered; the log tells what becomes of it\n')
}

/** By the rules of the gateway itself; what does not pass changes nothing. */
function importPair(cert: string | null, key: string | null, to: string): number {
  if (cert === null || key === null) throw new UsageError('certs import: --cert and --key name the files to take')
  let loaded: ReturnType<typeof loadCertificates>
  try {
    loaded = loadCertificates({ certificates: [{ cert, key }], profile: 'intermediate' }, () => '', 'import')
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    throw new ConfigurationError(error.problems.map((each) => each.replace(/^listeners\S+: /, '')))
  }
  const [pair] = loaded
  // The key first: the gateway takes a pair only where both fit.
  replacePrivateFile(`${to}.key`, pair!.key, { erasesOld: true })
  replacePrivateFile(`${to}.pem`, pair!.cert, { erasesOld: false })
  return print(`${to}.pem and ${to}.key: ${pair!.names.join(', ')}, until ${pair!.expiresAt.toISOString()}\n`)
}

function makeSelfSigned(names: readonly string[], to: string, days: number): number {
  refuseOverwriting(`${to}.key`, `${to}.pem`)
  const extensions = serverExtensions(names)
  const wish = { organisation: 'portcullis self-made', commonName: names[0]!, days, extensions }
  const { cert, key, certificate } = makeOwnCertificate(wish)
  replacePrivateFile(`${to}.key`, key, { erasesOld: false })
  replacePrivateFile(`${to}.pem`, cert, { erasesOld: false })
  return print(`${to}.pem and ${to}.key, until ${certificate.validToDate.toISOString()}; browsers will warn\n`)
}

function makeRequest(names: readonly string[], to: string): number {
  refuseOverwriting(`${to}.key`, `${to}.csr`)
  const { der, key } = makeSigningRequest(names)
  replacePrivateFile(`${to}.key`, key, { erasesOld: false })
  replacePrivateFile(`${to}.csr`, requestPem(der), { erasesOld: false })
  return print(`${to}.csr is for the authority, ${to}.key stays here; its certificate goes to ${to}.pem\n`)
}

function refuseOverwriting(...files: readonly string[]): void {
  const there = files.filter((file) => existsSync(file))
  if (there.length === 0) return
  throw new ConfigurationError([`${there.join(' and ')} stands there; move it away, or write another --to`])
}
