/** What routes answer without a service, from the files that the configuration names, and the pages of errors. It knows no socket. */
import { isUtf8 } from 'node:buffer'
import { readBounded } from '../config/file-reader.ts'
import type { Configuration } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import type { Metrics, Responder } from '../exchange/contracts.ts'
import { ErrorPages } from '../exchange/error-pages.ts'
import type { HeaderList } from '../http/headers.ts'
import { makeRouteRedirect } from '../responders/fixed.ts'
import { fixedAnswer } from './compression.ts'

/** Bytes. */
const MAX_BODY = 1024 ** 2
const MAX_PAGE = 256 * 1024

/** Null where a service answers. Throws ConfigurationError. */
export function ownAnswer(config: Configuration, index: number, metrics: Metrics): Responder | null {
  const route = config.routes[index]!
  if (route.redirect !== undefined) return makeRouteRedirect(route.path, route.redirect)
  if (route.respond === undefined) return null
  const { status, type, text, file, headers } = route.respond
  const bytes = file === undefined ? null : read(file, MAX_BODY, `routes[${index}].respond.file`)
  const body = bytes ?? (text === undefined ? null : Buffer.from(text))
  const list: HeaderList = body === null ? [] : ['content-type', type]
  return fixedAnswer(config, route, metrics, [status, [...list, ...Object.entries(headers).flat()], body])
}

/** The files of own answers and pages, for the watch. */
export function ownFiles(config: Configuration): string[] {
  const { page } = config.maintenance
  const files = [...Object.values(config.errorPages), ...(page === undefined ? [] : [page])]
  for (const { respond, errorPages } of config.routes) {
    if (respond?.file !== undefined) files.push(respond.file)
    files.push(...Object.values(errorPages))
  }
  return files
}

/** One for all routes without pages of their own. */
const shared = new WeakMap<Configuration, ErrorPages | null>()

/** Pages of the route before those of all. Null where there are none. Throws ConfigurationError. */
export function errorPagesOf(config: Configuration, index: number | null): ErrorPages | null {
  const own = index === null ? {} : config.routes[index]!.errorPages
  if (Object.keys(own).length > 0) return readPages(config, own, `routes[${index}].errorPages`)
  let pages = shared.get(config)
  if (pages === undefined) {
    pages = readPages(config, {}, '')
    shared.set(config, pages)
  }
  return pages
}

function readPages(config: Configuration, own: Readonly<Record<string, string>>, where: string): ErrorPages | null {
  const texts = new Map<string, string>()
  const add = (files: Readonly<Record<string, string>>, setting: string): void => {
    for (const [key, file] of Object.entries(files)) texts.set(key, readPage(file, `${setting}.${key}`))
  }
  const { page } = config.maintenance
  add(config.errorPages, 'errorPages')
  if (page !== undefined) add({ maintenance: page }, 'maintenance')
  add(own, where)
  return texts.size === 0 ? null : new ErrorPages(texts)
}

function readPage(file: string, setting: string): string {
  const bytes = read(file, MAX_PAGE, setting)
  if (!isUtf8(bytes)) throw new ConfigurationError([`${setting}: the file ${JSON.stringify(file)} is not UTF-8 text`])
  return bytes.toString('utf8')
}

function read(file: string, maxBytes: number, setting: string): Buffer {
  const bytes = readBounded(file, { maxBytes, isSecret: false })
  if (typeof bytes !== 'string') return bytes
  throw new ConfigurationError([`${setting}: the file ${JSON.stringify(file)} ${bytes}`])
}
