/** What the command line says about itself. Texts only. */

export interface CommandHelp {
  readonly usage: string
  readonly about: string
  readonly more: string
}

export const COMMANDS = {
  start: {
    usage: 'start [--config FILE]',
    about: 'run the gateway; without --config, the demo',
    more: `Runs until SIGTERM or SIGINT, then stops accepting and lets running requests end. SIGHUP loads the file again.
Without --config it puts the demo chat service behind the gateway, on loopback only.

  --config FILE   the configuration to run`,
  },
  check: {
    usage: 'check [--config FILE] [--without-files]',
    about: 'tell every mistake of a configuration at once',
    more: `Prints "ok" and what the file holds, or one line per mistake: file, line, column, setting, what is wrong.
Warnings do not make it fail.

  --config FILE     the configuration to check (default: config/gateway.json)
  --without-files   do not look for certificates, keys, accounts and secrets: for machines that have none of them`,
  },
  schema: {
    usage: 'schema',
    about: 'print the JSON Schema of the configuration, for editors',
    more: 'The same text stands in config/gateway.schema.json.',
  },
  'try-message': {
    usage: 'try-message --config FILE --route NAME [--event NAME] < message',
    about: 'show what the rules of a route would make of a message, and why',
    more: `Reads the message from standard input: JSON or plain text as a WebSocket or REST client sends it; on a socket.io route a
whole packet, or with --event the list of the event's arguments (or its one argument). One line break at the end is
left out. Nothing is sent, nothing is counted. Exit code 1 where the message would be refused.

  --config FILE   the configuration (default: config/gateway.json); its certificates and secrets are not read
  --route NAME    name or path of the route
  --event NAME    socket.io event`,
  },
  'hash-password': {
    usage: 'hash-password',
    about: 'make the argon2id hash of a password, for an accounts file',
    more: `Asks twice at a terminal and shows nothing; otherwise reads one line of standard input. A password is never taken
from the command line, where other users of the machine could see it.`,
  },
  health: {
    usage: 'health [--config FILE] [--url URL]',
    about: 'exit 0 where a gateway on this machine is alive: for HEALTHCHECK',
    more: `Asks /health/live of the admin listener.

  --config FILE   where the address of the admin listener stands (default: config/gateway.json)
  --url URL       ask this instead, for example http://127.0.0.1:9900/health/ready`,
  },
} as const satisfies Record<string, CommandHelp>

export type CommandName = keyof typeof COMMANDS

export const isCommand = (word: string): word is CommandName => Object.hasOwn(COMMANDS, word)

export function helpText(): string {
  const names = Object.keys(COMMANDS) as CommandName[]
  const width = Math.max(...names.map((name) => name.length)) + 2
  const lines = names.map((name) => `  ${name.padEnd(width)}${COMMANDS[name].about}`)
  return `portcullis: a hardened TLS gateway in front of chat services

Usage: portcullis COMMAND [OPTIONS]

${lines.join('\n')}
  ${'help COMMAND'.padEnd(width)}what a command does

  ${'--version'.padEnd(width)}print the version
  ${'--help'.padEnd(width)}print this

Exit codes: 0 done, 1 failed, 2 used wrongly
`
}

export function commandHelpText(name: CommandName): string {
  const { usage, about, more } = COMMANDS[name]
  return `Usage: portcullis ${usage}\n\n${about[0]!.toUpperCase()}${about.slice(1)}.\n\n${more}\n`
}
