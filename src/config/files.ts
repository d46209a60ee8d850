/**
 * Checks that the files, folders and secrets that the configuration names are there and may be read, so that a mistake
 * is told at load with its line. What stands in a certificate is not judged here.
 */
import { accessSync, constants, statSync } from 'node:fs'
import type { SettingPath } from './document.ts'
import { readBounded, reasonOf } from './file-reader.ts'
import { type Findings, listOf, membersOf, textOf } from './findings.ts'
import { type Environment, lookUpSecret, problemOfRedisUrl } from './secrets.ts'

const MAX_PEM_BYTES = 1024 ** 2
const MAX_CA_BYTES = 16 * 1024 ** 2
const MAX_PAGE_BYTES = 256 * 1024
const MAX_RING_BYTES = 65_536

export function checkFiles(root: unknown, env: Environment, findings: Findings): void {
  const top = membersOf(root)
  for (const [name, each] of Object.entries(membersOf(top.listeners))) {
    if (name === 'admin') continue
    const path = ['listeners', name, 'tls']
    const tls = membersOf(membersOf(each).tls)
    for (const [i, one] of listOf(tls.certificates).entries()) {
      const certificate = membersOf(one)
      const at = [...path, 'certificates', i]
      checkFile(certificate.cert, [...at, 'cert'], MAX_PEM_BYTES, false, findings)
      checkFile(certificate.key, [...at, 'key'], MAX_PEM_BYTES, true, findings)
      checkFolder(certificate.folder, [...at, 'folder'], findings)
      checkSecret(certificate.passphrase, [...at, 'passphrase'], env, findings)
    }
    checkSecret(tls.ticketSecret, [...path, 'ticketSecret'], env, findings)
    checkAcmeFiles(tls.acme, [...path, 'acme'], env, findings)
    for (const kind of ['ca', 'crl'] as const) {
      for (const [i, file] of listOf(membersOf(tls.clientCertificates)[kind]).entries()) {
        checkFile(file, [...path, 'clientCertificates', kind, i], MAX_CA_BYTES, false, findings)
      }
    }
  }
  checkFile(membersOf(top.keys).ring, ['keys', 'ring'], MAX_RING_BYTES, true, findings)
  const transcripts = membersOf(membersOf(top.listeners).transcripts)
  const here = ['listeners', 'transcripts']
  checkFile(membersOf(transcripts.signIn).accounts, [...here, 'signIn', 'accounts'], MAX_CA_BYTES, true, findings)
  const client = membersOf(membersOf(transcripts.oidc).client)
  for (const key of ['secret', 'sessionKey']) checkSecret(client[key], [...here, 'oidc', 'client', key], env, findings)
  checkFolder(membersOf(transcripts.source).folder, [...here, 'source', 'folder'], findings)
  for (const [name, each] of Object.entries(membersOf(top.issuers))) {
    const issuer = membersOf(each)
    checkFile(issuer.ca, ['issuers', name, 'ca'], MAX_CA_BYTES, false, findings)
    checkFile(membersOf(issuer.keys).file, ['issuers', name, 'keys', 'file'], MAX_PEM_BYTES, false, findings)
  }
  for (const [name, each] of Object.entries(membersOf(top.services))) {
    const tls = membersOf(membersOf(each).tls)
    const path = ['services', name, 'tls']
    checkFile(tls.ca, [...path, 'ca'], MAX_CA_BYTES, false, findings)
    for (const [i, file] of listOf(tls.crl).entries()) {
      checkFile(file, [...path, 'crl', i], MAX_CA_BYTES, false, findings)
    }
    checkFile(tls.cert, [...path, 'cert'], MAX_PEM_BYTES, false, findings)
    checkFile(tls.key, [...path, 'key'], MAX_PEM_BYTES, true, findings)
    const proxy = membersOf(membersOf(each).proxy)
    checkFile(proxy.ca, ['services', name, 'proxy', 'ca'], MAX_CA_BYTES, false, findings)
    checkSecret(membersOf(proxy.auth).password, ['services', name, 'proxy', 'auth', 'password'], env, findings)
    checkSecret(membersOf(membersOf(each).sticky).key, ['services', name, 'sticky', 'key'], env, findings)
  }
  checkPages(top.errorPages, ['errorPages'], findings)
  checkFile(membersOf(top.maintenance).page, ['maintenance', 'page'], MAX_PAGE_BYTES, false, findings)
  for (const [i, each] of listOf(top.routes).entries()) {
    const route = membersOf(each)
    checkPages(route.errorPages, ['routes', i, 'errorPages'], findings)
    checkFile(membersOf(route.respond).file, ['routes', i, 'respond', 'file'], MAX_PEM_BYTES, false, findings)
    checkSecret(membersOf(membersOf(each).hide).key, ['routes', i, 'hide', 'key'], env, findings)
  }
  const redis = membersOf(membersOf(membersOf(top.limits).store).redis)
  const store = ['limits', 'store', 'redis']
  const redisUrl = checkSecret(redis.url, [...store, 'url'], env, findings)
  checkSecret(redis.password, [...store, 'password'], env, findings)
  checkSecret(membersOf(redis.sentinel).password, [...store, 'sentinel', 'password'], env, findings)
  const redisTls = membersOf(redis.tls)
  checkFile(redisTls.ca, [...store, 'tls', 'ca'], MAX_CA_BYTES, false, findings)
  checkFile(redisTls.cert, [...store, 'tls', 'cert'], MAX_PEM_BYTES, false, findings)
  checkFile(redisTls.key, [...store, 'tls', 'key'], MAX_PEM_BYTES, true, findings)
  checkSecret(redisTls.passphrase, [...store, 'tls', 'passphrase'], env, findings)
  const problem = redisUrl === null ? null : problemOfRedisUrl(redisUrl)
  if (problem !== null) findings.wrong(['limits', 'store', 'redis', 'url'], problem)
}

function checkAcmeFiles(value: unknown, path: SettingPath, env: Environment, findings: Findings): void {
  const acme = membersOf(value)
  checkSecret(acme.sharedSecret, [...path, 'sharedSecret'], env, findings)
  for (const [i, each] of listOf(acme.authorities).entries()) {
    const authority = membersOf(each)
    const at = [...path, 'authorities', i]
    checkFile(authority.ca, [...at, 'ca'], MAX_CA_BYTES, false, findings)
    checkSecret(membersOf(authority.eab).key, [...at, 'eab', 'key'], env, findings)
  }
}

const isPath = (value: unknown): value is string => typeof value === 'string' && /^[^\x00-\x1f]{1,1024}$/.test(value)

function checkFile(value: unknown, path: SettingPath, maxBytes: number, isSecret: boolean, findings: Findings): void {
  if (!isPath(value)) return
  const read = readBounded(value, { maxBytes, isSecret })
  if (typeof read === 'string') findings.wrong(path, `the file ${JSON.stringify(value)} ${read}`)
  else if (read.length === 0) findings.wrong(path, `the file ${JSON.stringify(value)} is empty`)
}

function checkPages(pages: unknown, path: SettingPath, findings: Findings): void {
  for (const [key, file] of Object.entries(membersOf(pages))) {
    checkFile(file, [...path, key], MAX_PAGE_BYTES, false, findings)
  }
}

function checkFolder(value: unknown, path: SettingPath, findings: Findings): void {
  if (!isPath(value)) return
  const folder = JSON.stringify(value)
  try {
    if (!statSync(value).isDirectory()) return findings.wrong(path, `${folder} is not a folder`)
    accessSync(value, constants.R_OK | constants.X_OK)
  } catch (error) {
    findings.wrong(path, `the folder ${folder} ${reasonOf(error).replace('no such file', 'no such folder')}`)
  }
}

/** The secret where there is one and it can be had. */
function checkSecret(value: unknown, path: SettingPath, env: Environment, findings: Findings): string | null {
  const reference = membersOf(value)
  const keys = Object.keys(reference)
  const target = textOf(reference.env) ?? textOf(reference.file)
  if (keys.length !== 1 || !isPath(target)) return null
  const found = lookUpSecret('env' in reference ? { env: target } : { file: target }, env)
  if (found.problem === null) return found.value
  findings.wrong([...path, keys[0]!], found.problem)
  return null
}
