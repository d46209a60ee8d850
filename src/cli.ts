/** The command line: finds the command, runs it, says what failed. What the commands do stands elsewhere. */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { COMMANDS, type CommandName, commandHelpText, groupHelpText, helpText, isCommand } from './cli/help.ts'
import { OPTIONS, SUBJECTS } from './cli/options.ts'
import { complain, DONE, FAILED, print, UsageError } from './cli/said.ts'
import { ownVersion } from './config/own-version.ts'
import { ConfigurationError } from './errors.ts'

const USED_WRONGLY = 2
const DEFAULT_CONFIG = 'config/gateway.json'

type Values = Readonly<Record<string, string | boolean | undefined>>
/** `words`: what stands beside the options, where the command takes such. */
type Command = (values: Values, words: readonly string[]) => Promise<number>

const RUN: Record<CommandName, Command> = {
  start,
  check,
  schema,
  'try-message': tryOneMessage,
  users,
  'hash-password': hashPassword,
  health,
  'keys init': async (values) =>
    (await import('./cli/sealing-commands.ts')).runKeysCommand('init', values, DEFAULT_CONFIG),
  'keys rotate': async (values) =>
    (await import('./cli/sealing-commands.ts')).runKeysCommand('rotate', values, DEFAULT_CONFIG),
  'keys list': async (values) =>
    (await import('./cli/sealing-commands.ts')).runKeysCommand('list', values, DEFAULT_CONFIG),
  'keys retire': async (values) =>
    (await import('./cli/sealing-commands.ts')).runKeysCommand('retire', values, DEFAULT_CONFIG),
  'url seal': async (values) =>
    (await import('./cli/sealing-commands.ts')).runUrlCommand('seal', values, DEFAULT_CONFIG),
  'url open': async (values) =>
    (await import('./cli/sealing-commands.ts')).runUrlCommand('open', values, DEFAULT_CONFIG),
  ban,
  unban,
  bans: async (values) => (await import('./cli/bans.ts')).runBans(await adminUrl('bans', values), values.json === true),
  services: async (values) =>
    (await import('./cli/services.ts')).runServices(await adminUrl('services', values), values.json === true),
  drain: (values) => drain('drain', values),
  undrain: (values) => drain('undrain', values),
  certs: async (v, words) => (await import('./cli/certs-command.ts')).runCerts(v, words, DEFAULT_CONFIG, adminUrl),
  maintenance: async (v, words) => (await import('./cli/maintenance.ts')).runMaintenance(v, words, adminUrl),
  'transcripts import': async (values) =>
    (await import('./cli/sealing-commands.ts')).runTranscriptsCommand('import', values, DEFAULT_CONFIG),
  'transcripts seal': async (values) =>
    (await import('./cli/sealing-commands.ts')).runTranscriptsCommand('seal', values, DEFAULT_CONFIG),
  'transcripts open': async (values) =>
    (await import('./cli/sealing-commands.ts')).runTranscriptsCommand('open', values, DEFAULT_CONFIG),
  'transcripts purge': async (values) =>
    (await import('./cli/sealing-commands.ts')).runTranscriptsCommand('purge', values, DEFAULT_CONFIG),
}

const textOf = (value: string | boolean | undefined): string | null => (typeof value === 'string' ? value : null)

/** Runs one command and sets the exit code; the process ends when nothing is left to do. */
export async function runCli(words: readonly string[]): Promise<void> {
  // `portcullis schema | head` ends the pipe early: that is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? DONE : FAILED)
  })
  try {
    process.exitCode = await dispatch(words)
  } catch (error) {
    if (error instanceof UsageError) {
      complain(`portcullis: ${error.message}`)
      process.exitCode = USED_WRONGLY
      return
    }
    complain(failureText(error))
    // A start that failed half-way may have opened sockets, which would keep the process.
    process.exit(FAILED)
  }
}

function failureText(error: unknown): string {
  if (error instanceof ConfigurationError) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

async function dispatch(words: readonly string[]): Promise<number> {
  const [first, ...rest] = joined(words)
  if (first === undefined) {
    process.stderr.write(helpText())
    return USED_WRONGLY
  }
  if (first === '--help' || first === '-h') return print(helpText())
  if (first === '--version' || first === '-v') return print(`portcullis ${ownVersion()}\n`)
  if (first === 'help') {
    const [asked] = joined(rest)
    if (asked === undefined) return print(helpText())
    return print(groupHelpText(asked) ?? commandHelpText(await commandOf(asked)))
  }
  const group = groupHelpText(first)
  if (group !== null) {
    if (rest[0] === '--help' || rest[0] === '-h') return print(group)
    process.stderr.write(group)
    return USED_WRONGLY
  }
  const name = await commandOf(first)
  if (rest.includes('--help') || rest.includes('-h')) return print(commandHelpText(name))
  const { values, positionals } = await readOptions(name, rest)
  return RUN[name](values, positionals)
}

/** `keys init` is one command of two words. */
function joined(words: readonly string[]): string[] {
  const [first, second, ...rest] = words
  const isGroup = Object.keys(COMMANDS).some((name) => name.startsWith(`${first} `))
  return isGroup && second !== undefined && !second.startsWith('-') ? [`${first} ${second}`, ...rest] : [...words]
}

async function commandOf(word: string): Promise<CommandName> {
  if (isCommand(word)) return word
  const { suggestion } = await import('./config/suggestion.ts')
  const otherwise = '; "portcullis --help" lists them'
  const kind = word.startsWith('-') ? 'option' : 'command'
  const known = kind === 'option' ? ['--help', '--version'] : [...Object.keys(COMMANDS), 'help']
  throw new UsageError(`no ${kind} ${JSON.stringify(word)}${suggestion(word, known, otherwise)}`)
}

async function readOptions(
  name: CommandName,
  words: readonly string[],
): Promise<{ values: Values; positionals: string[] }> {
  const options: NonNullable<ParseArgsConfig['options']> = OPTIONS[name]
  try {
    const subjects = SUBJECTS[name] ?? 0
    const allowPositionals = subjects > 0 || name === 'users' || name === 'certs' || name === 'maintenance'
    const { values, positionals } = parseArgs({ args: [...words], options, allowPositionals, strict: true })
    if (subjects > 0 && positionals.length !== subjects) {
      throw new UsageError(`usage: portcullis ${COMMANDS[name].usage}`)
    }
    return { values: { ...values, subject: positionals[0], object: positionals[1] } as Values, positionals }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    if (!code.startsWith('ERR_PARSE_ARGS')) throw error
    throw new UsageError(`${name}: ${await optionSentence(code, (error as Error).message, name, words)}`)
  }
}

async function optionSentence(
  code: string,
  message: string,
  name: CommandName,
  words: readonly string[],
): Promise<string> {
  const known = Object.keys(OPTIONS[name]).map((each) => `--${each}`)
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
    const word =
      words.map((each) => each.split('=')[0]!).find((each) => each.startsWith('-') && !known.includes(each)) ?? ''
    const { suggestion } = await import('./config/suggestion.ts')
    const otherwise = known.length === 0 ? '; this command has none' : `; known are ${known.join(', ')}`
    return `no option ${JSON.stringify(word)}${suggestion(word, known, otherwise)}`
  }
  if (code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL')
    return `takes options only; usage: portcullis ${COMMANDS[name].usage}`
  return message.split('\n')[0]!
}

async function start(values: Values): Promise<number> {
  const { main } = await import('./main.ts')
  await main({ configPath: textOf(values.config) })
  return DONE
}

async function check(values: Values): Promise<number> {
  const { loadConfiguration } = await import('./config/load.ts')
  const { summaryOf } = await import('./config/summary.ts')
  const path = textOf(values.config) ?? DEFAULT_CONFIG
  const loaded = loadConfiguration(path, { env: process.env, checkFiles: values['without-files'] !== true })
  for (const warning of loaded.warnings) complain(`warning: ${warning}`)
  return print(`ok: ${summaryOf(loaded.configuration)}\n`)
}

async function schema(): Promise<number> {
  const { jsonSchemaText } = await import('./config/schema.ts')
  return print(jsonSchemaText())
}

async function tryOneMessage(values: Values): Promise<number> {
  const route = textOf(values.route)
  if (route === null) throw new UsageError('try-message: --route is missing; it is the name or the path of a route')
  const { loadConfiguration } = await import('./config/load.ts')
  const { readMessage } = await import('./cli/message-input.ts')
  const { tryMessage } = await import('./cli/try-message.ts')
  const path = textOf(values.config) ?? DEFAULT_CONFIG
  const { configuration } = loadConfiguration(path, { env: process.env, checkFiles: false })
  const text = await readMessage(process.stdin)
  if (text === null) {
    complain('portcullis: the message is longer than 64 MB, or no UTF-8')
    return FAILED
  }
  const { lines, outcome } = tryMessage(configuration, { route, event: textOf(values.event), text })
  if (outcome === 'not-tried') throw new UsageError(`try-message: ${lines.join('; ')}`)
  print(`${lines.join('\n')}\n`)
  return outcome === 'passes' ? DONE : FAILED
}

async function users(values: Values, words: readonly string[]): Promise<number> {
  const { runUsers, passwordFrom, USERS_ACTIONS, USERS_EVENTS } = await import('./cli/users-command.ts')
  const { usersPlace } = await import('./cli/users-place.ts')
  const [word = '', name = '', ...more] = words
  const action = USERS_ACTIONS.find((each) => each === word)
  if (action === undefined) throw new UsageError(`users: say what to do: ${USERS_ACTIONS.join(', ')}`)
  if (more.length > 0 || (name === '') !== (action === 'list')) {
    throw new UsageError(`users ${action}: takes ${action === 'list' ? 'no name' : 'one name'}`)
  }
  const place = usersPlace(
    textOf(values.config) ?? (values.file === undefined ? DEFAULT_CONFIG : null),
    textOf(values.file),
  )
  const { readNewPassword } = await import('./cli/password-prompt.ts')
  const passwordFile = textOf(values['password-file'])
  const order = {
    ...place,
    action,
    name: name.normalize('NFC'),
    roles: textOf(values.roles),
    attributes: textOf(values.attributes),
    isOwnChoice: values['own-choice'] === true,
    removesFactor: values.remove === true,
    askPassword: async () =>
      passwordFile === null ? readNewPassword(process.stdin, process.stderr) : passwordFrom(passwordFile),
  }
  return print(await place.recorded({ event: USERS_EVENTS[action], action, name: order.name }, () => runUsers(order)))
}

async function hashPassword(): Promise<number> {
  const { readNewPassword } = await import('./cli/password-prompt.ts')
  const passwords = await import('./access/passwords.ts')
  const { checkNewPassword, PASSWORD_PRESETS } = await import('./access/password-rules.ts')
  const read = await readNewPassword(process.stdin, process.stderr)
  const problems =
    'problem' in read
      ? [read.problem]
      : checkNewPassword(PASSWORD_PRESETS['pci-4'], read.password, null).map((rule) => `the password ${rule}`)
  for (const problem of problems) complain(`portcullis: ${problem}`)
  if ('problem' in read || problems.length > 0) return FAILED
  return print(`${await passwords.hashPassword(read.password)}\n`)
}

async function health(values: Values): Promise<number> {
  const { requestHealth } = await import('./cli/health-request.ts')
  const problem = await requestHealth(await healthUrl(values))
  if (problem === null) return print('ok\n')
  complain(`portcullis: ${problem}`)
  return FAILED
}

async function healthUrl(values: Values): Promise<URL> {
  const given = textOf(values.url)
  if (given === null) {
    const { readAdminAddress } = await import('./config/admin-address.ts')
    return new URL(`http://${readAdminAddress(textOf(values.config) ?? DEFAULT_CONFIG)}/health/live`)
  }
  if (!URL.canParse(given) || new URL(given).protocol !== 'http:') {
    throw new UsageError('health: --url is not an http:// URL; write for example http://127.0.0.1:9900/health/live')
  }
  return new URL(given)
}

async function ban(values: Values): Promise<number> {
  const { requestBan } = await import('./cli/bans.ts')
  const { parseDuration } = await import('./config/units.ts')
  const time = textOf(values.for) ?? ''
  if (time !== '' && !(parseDuration(time) > 0)) {
    throw new UsageError(`ban: --for is not a time; write for example --for 1h or --for "30 minutes"`)
  }
  const subject = textOf(values.subject)!
  return told(await requestBan(await adminUrl('ban', values), subject, time, textOf(values.reason) ?? ''), 'banned')
}

async function unban(values: Values): Promise<number> {
  const { requestUnban } = await import('./cli/bans.ts')
  return told(await requestUnban(await adminUrl('unban', values), textOf(values.subject)!), 'unbanned')
}

async function drain(action: 'drain' | 'undrain', { subject, object, ...values }: Values): Promise<number> {
  const { runDrain } = await import('./cli/services.ts')
  return runDrain(await adminUrl(action, values), action, String(subject), String(object))
}

function told(problem: string | null, done: string): number {
  if (problem === null) return print(`${done}\n`)
  complain(`portcullis: ${problem}`)
  return FAILED
}

/** The admin listener of the gateway on this machine. */
async function adminUrl(command: string, values: Values): Promise<URL> {
  const given = textOf(values.admin)
  if (given === null) {
    const { readAdminAddress } = await import('./config/admin-address.ts')
    return new URL(`http://${readAdminAddress(textOf(values.config) ?? DEFAULT_CONFIG)}`)
  }
  if (!URL.canParse(given) || new URL(given).protocol !== 'http:') {
    throw new UsageError(`${command}: --admin is not an http:// URL; write for example http://127.0.0.1:9900`)
  }
  return new URL(given)
}
