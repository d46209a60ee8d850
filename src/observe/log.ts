/**
 * The three logs: the gateway's own (standard error), one line per exchange, and the audit. The only door to pino. It writes
 * paths without queries, and no header, body, password or token: those never come here.
 */
import { pino } from 'pino'
import type { Configuration } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import type { AuditLog } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { RepeatedText } from '../exchange/repeated-text.ts'
import { auditLine } from './audit-line.ts'
import { maskCards } from './card-mask.ts'
import { jsonMs, jsonText, jsonTextOrNull } from './json-line.ts'
import { LineFile, standardOutput } from './line-file.ts'

/** A write costs as much as ten requests: lines wait for each other, at most a second. */
const ACCESS_HOLD_BYTES = 96 * 1024
const MAX_PATH = 2048
const MAX_TEXT = 256
const STANDARD_ERROR = 2
/** What must not be printed even where a caller puts it among the fields. */
const HIDDEN = ['password', 'passphrase', 'secret', 'token', 'authorization', 'cookie', 'key', 'credentials']

export type LogFields = Readonly<Record<string, unknown>>

/** The gateway's own log. Messages are constant sentences; what varies goes into the fields. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

export interface Log {
  readonly gateway: Logger
  readonly audit: AuditLog
  /** One JSON line per exchange; call it from `finish`. Never throws. */
  access(x: Exchange): void
  /** Lines lost by full disks and closed pipes, over all logs. */
  readonly dropped: number
  /** Writes what waits. */
  flush(): Promise<void>
  /** Opens the files anew after a rotation. */
  reopen(): void
  close(): Promise<void>
}

export interface LogOptions {
  /** Hides what must not be logged from a path or the name of an object; default: payment card numbers. */
  readonly maskPath?: (path: string) => string
  /** Where the gateway's own log goes; default: standard error. A path, or the number of an open file. */
  readonly gatewayTarget?: string | number
  /** What `-` means for the audit log: the number of an open file; default: standard output. */
  readonly auditTarget?: number
}

/** Opens the logs. Throws ConfigurationError, naming the setting, where a file cannot be written. */
export function makeLog(config: Configuration['log'], options: LogOptions = {}): Log {
  const files = new Map<string, LineFile>()
  // Two settings that name one file share one writer: lines must not be mixed.
  const open = (setting: string, path: string, holdBytes: number): LineFile | null => {
    if (path === 'off') return null
    let file = files.get(path)
    if (file === undefined) {
      file = openFile(setting, path, holdBytes)
      files.set(path, file)
    }
    return file
  }
  const { auditTarget } = options
  const isElsewhere = config.audit === '-' && auditTarget !== undefined
  const audit = isElsewhere ? new LineFile(auditTarget, { holdBytes: 0 }) : open('log.audit', config.audit, 0)
  let access: LineFile | null
  try {
    access = open('log.access', config.access, ACCESS_HOLD_BYTES)
  } catch (error) {
    void audit?.close()
    throw error
  }
  const own = new LineFile(options.gatewayTarget ?? STANDARD_ERROR, { holdBytes: 0 })
  const all = isElsewhere ? [...files.values(), own, audit!] : [...files.values(), own]
  const maskPath = options.maskPath ?? maskCards
  return {
    gateway: makeLogger(config.level, own),
    audit: {
      get isUp() {
        return audit === null || audit.lastError === ''
      },
      record: (event) => audit?.write(auditLine(event, maskPath)),
    },
    access: (x) => access?.write(accessLine(x, maskPath)),
    get dropped() {
      let sum = 0
      for (const file of all) sum += file.dropped
      return sum
    },
    flush: async () => {
      await Promise.all(all.map((file) => file.flush()))
    },
    reopen: () => {
      for (const file of all) file.reopen()
    },
    close: async () => {
      await Promise.all(all.map((file) => file.close()))
    },
  }
}

function openFile(setting: string, path: string, holdBytes: number): LineFile {
  if (path === '-') return standardOutput({ holdBytes })
  try {
    return new LineFile(path, { holdBytes })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'an unknown error'
    throw new ConfigurationError([
      `${setting}: ${path} cannot be written (${code}); name a file in a folder that can be`,
    ])
  }
}

function makeLogger(level: string, file: LineFile): Logger {
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: describeError },
      redact: { paths: HIDDEN.flatMap((name) => [name, `*.${name}`]), censor: '[hidden]' },
      depthLimit: 4,
      edgeLimit: 32,
    },
    // pino ends its lines itself.
    { write: (line: string) => file.write(line.slice(0, -1)) },
  )
  return {
    debug: (message, fields) => logger.debug(fields ?? {}, message),
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
  }
}

function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? error.slice(0, 1024) : error
  const { code } = error as NodeJS.ErrnoException
  return { name: error.name, code, message: error.message.slice(0, 1024), stack: error.stack?.slice(0, 4096) }
}

function accessLine(x: Exchange, maskPath: (path: string) => string): string {
  const failure = x.failure
  return (
    // An id is plain text, whoever made it (src/http/trace.ts).
    `${lineStart()}${x.id === '' ? 'null' : `"${x.id}"`}${requestText(x, maskPath)}${x.status}` +
    `,"bytesIn":${x.bytesIn},"bytesOut":${x.bytesOut}` +
    `,"durationMs":${jsonMs(performance.now() - x.startedAt)},"upstreamMs":${jsonMs(x.upstreamMs)}${outcomeText(x)}` +
    `${failure === null ? NO_FAILURE : `,"failure":"${failure.code}","detail":${jsonTextOrNull(failure.detail, MAX_TEXT)}}`}`
  )
}

/** From the route to the user: mostly the same for a head that comes again. */
function outcomeText({ head, route, endpoint, user }: Exchange): string {
  const last = head.memo.outcomeText
  if (last !== null && last.route === route && last.endpoint === endpoint && last.user === user)
    return last.text.again()
  const text =
    `,"route":${route === null ? 'null' : known(route.name)},"service":${route === null ? 'null' : known(route.serviceName)}` +
    `,"endpoint":${known(endpoint)},"user":${jsonTextOrNull(user, MAX_TEXT)}`
  head.memo.outcomeText = { route, endpoint, user, text: new RepeatedText(text) }
  return text
}

const NO_FAILURE = ',"failure":null,"detail":null}'

/** From the listener to the status: the same for a head that comes again. */
function requestText(x: Exchange, maskPath: (path: string) => string): string {
  const { clientAddress: client, method, host, path } = x
  const listener = x.listener.name
  const memo = x.head.memo
  const last = memo.logText
  if (
    last !== null &&
    last.listener === listener &&
    last.client === client &&
    last.method === method &&
    last.host === host &&
    last.path === path &&
    last.maskPath === maskPath
  ) {
    return last.text.again()
  }
  const text =
    `,"listener":${known(listener)},"client":${jsonText(client, 64)},"protocol":"${x.head.protocol}"` +
    `,"method":${jsonText(method, 32)},"host":${jsonTextOrNull(host, MAX_TEXT)}` +
    `,"path":${jsonTextOrNull(maskPath(path), MAX_PATH)},"webSocket":${x.isWebSocket},"status":`
  memo.logText = { listener, client, method, host, path, maskPath, text: new RepeatedText(text) }
  return text
}

const texts = new Map<string, string>()
const MAX_TEXTS = 4096

/** Names out of the configuration, as JSON: made once. */
function known(text: string): string {
  let json = texts.get(text)
  if (json === undefined) {
    json = jsonTextOrNull(text, MAX_TEXT)
    if (texts.size < MAX_TEXTS) texts.set(text, json)
  }
  return json
}

let lineMs = 0
let lineText = ''

/** Up to the id, with the time in UTC: formatted once a millisecond. */
function lineStart(): string {
  const now = Date.now()
  if (now !== lineMs) {
    lineMs = now
    lineText = `{"time":"${new Date(now).toISOString()}","id":`
  }
  return lineText
}
