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
  users: {
    usage: 'users ACTION [NAME] [--config FILE | --file FILE] [OPTIONS]',
    about: 'make and change accounts, also while the gateway runs',
    more: `  add NAME      a new account; its password must be changed at first use
  passwd NAME   another password, which must be changed at first use; sessions end
  roles NAME    other --roles or --attributes
  lock NAME     refuse it until it is unlocked; sessions end
  unlock NAME   also after too many failures, on all running gateways at once
  totp NAME     a second factor: prints its secret for the app, and recovery codes; again: a new one
  remove NAME   no such account any more
  list          names, states, ages of passwords, roles

The password is asked for twice and not shown; where standard input is no terminal, it is its one line. It is never taken
from the command line, where other users of the machine could see it.

  --config FILE          whose listeners.transcripts.signIn names the accounts file and the rules (default: config/gateway.json)
  --file FILE            the accounts file itself; without --config by the rules of pci-4
  --password-file FILE   the password is the one line of this file
  --roles A,B            roles of the account; an empty list is written --roles=
  --attributes K=V,...   attributes for rules of roles
  --own-choice           with add and passwd: the password need not be changed at first use (one's own choice, or a program's)
  --remove               with totp: take the second factor away`,
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
  'keys init': {
    usage: 'keys init [--config FILE]',
    about: 'make the key ring, with one key',
    more: `Makes the file that "keys": { "ring": ... } names, mode 0600, and prints the fingerprint of its key. A file that is there
is never replaced.

  --config FILE   the configuration (default: config/gateway.json)`,
  },
  'keys rotate': {
    usage: 'keys rotate [--config FILE]',
    about: 'make a new primary key; older ones go on opening',
    more: `The file is replaced as a whole; a running gateway takes it up by itself. Links that were made before stay valid.

  --config FILE   the configuration (default: config/gateway.json)`,
  },
  'keys list': {
    usage: 'keys list [--config FILE]',
    about: 'show ids, dates and fingerprints of the keys, and no key',
    more: `Compare the fingerprints with those that were noted when the keys were made: another one means another key.

  --config FILE   the configuration (default: config/gateway.json)`,
  },
  'keys retire': {
    usage: 'keys retire --id ID [--config FILE]',
    about: 'take an old key away for good',
    more: `What it sealed cannot be opened any more: first let its links expire and run "transcripts seal". The file that held it
is overwritten; docs/keys.md says what that is worth.

  --id ID         the key, as "keys list" shows it; never the primary
  --config FILE   the configuration (default: config/gateway.json)`,
  },
  'url seal': {
    usage: 'url seal --kind NAME [--config FILE] < value',
    about: 'make the token that stands in URLs for a phone number',
    more: `Reads the value from standard input; one line break at its end is left out.

  --kind NAME     one of "sealed" in the configuration
  --config FILE   the configuration (default: config/gateway.json)`,
  },
  'url open': {
    usage: 'url open --kind NAME [--config FILE] < token',
    about: 'show what a token stands for; recorded',
    more: `Exit code 1 where it is no token of this kind and ring, and where it has expired (its value is shown all the same).

  --kind NAME     one of "sealed" in the configuration
  --config FILE   the configuration (default: config/gateway.json)`,
  },
  ban: {
    usage: 'ban SUBJECT [--for TIME] [--reason TEXT] [--config FILE] [--admin URL]',
    about: 'keep an address, a block of addresses or a user out, on all nodes',
    more: `SUBJECT is an address, a CIDR block or user:NAME. It holds at once here, within two seconds on every node that shares
the store, and closes open WebSockets. Written to the audit log. It speaks to the running gateway's admin listener.

  --for TIME      how long: "30 minutes", "1h"; without it until "unban"
  --reason TEXT   why, for those who read the list
  --config FILE   where the address of the admin listener stands (default: config/gateway.json)
  --admin URL     ask this admin listener instead, for example http://127.0.0.1:9900`,
  },
  unban: {
    usage: 'unban SUBJECT [--config FILE] [--admin URL]',
    about: 'end a ban, on all nodes',
    more: `SUBJECT as "bans" lists it. Exit code 1 where there is no such ban.

  --config FILE   where the address of the admin listener stands (default: config/gateway.json)
  --admin URL     ask this admin listener instead, for example http://127.0.0.1:9900`,
  },
  bans: {
    usage: 'bans [--json] [--config FILE] [--admin URL]',
    about: 'list who is banned, until when and why',
    more: `  --json          as JSON
  --config FILE   where the address of the admin listener stands (default: config/gateway.json)
  --admin URL     ask this admin listener instead, for example http://127.0.0.1:9900`,
  },
  services: {
    usage: 'services [--json] [--config FILE] [--admin URL]',
    about: 'show the endpoints of all services: in, down, ejected, drained, and what runs there',
    more: `  --json          as JSON
  --config FILE   where the address of the admin listener stands (default: config/gateway.json)
  --admin URL     ask this admin listener instead, for example http://127.0.0.1:9900`,
  },
  drain: {
    usage: 'drain SERVICE ENDPOINT [--config FILE] [--admin URL]',
    about: 'send no new clients to an endpoint; what runs there goes on',
    more: `ENDPOINT is host and port as "services" shows it. Sessions of socket.io that are bound to it stay, and open WebSockets
and streams too: see with "services" when nothing is left. It holds in this gateway until "undrain" or a restart, over reloads too.
Written to the audit log.

  --config FILE   where the address of the admin listener stands (default: config/gateway.json)
  --admin URL     ask this admin listener instead, for example http://127.0.0.1:9900`,
  },
  undrain: {
    usage: 'undrain SERVICE ENDPOINT [--config FILE] [--admin URL]',
    about: 'send new clients to an endpoint again, few at first',
    more: `  --config FILE   where the address of the admin listener stands (default: config/gateway.json)
  --admin URL     ask this admin listener instead, for example http://127.0.0.1:9900`,
  },
  certs: {
    usage: 'certs ACTION [NAME] [OPTIONS]',
    about: 'list, order, import and make certificates',
    more: `  list          every certificate of the configuration: names, end, kind of key, mode of its file, source, what is wrong;
                exit code 1 where something is
  renew NAME    order the certificate with this name again, now, by the running gateway
  import        take a pair from --cert and --key to --to, where the gateway would serve it; else nothing is changed
  self-signed   make a pair for --names at --to
  csr           make a key and a signing request for --names at --to

Keys are ECDSA P-256, their files for their owner only. Nothing but import overwrites a file.

  --to PLACE      where to put it, without an ending: PLACE.pem, PLACE.key, PLACE.csr
  --names LIST    host names and addresses, with commas between
  --days COUNT    life of a self-signed certificate (default: 90)
  --json          list as JSON
  --config FILE   the configuration (default: config/gateway.json)
  --admin URL     the admin listener, where it is not that of the configuration`,
  },
  maintenance: {
    usage: 'maintenance on|off|status [ROUTE] [--config FILE] [--admin URL]',
    about: 'close one route, or all public ones, for a while, and open them again',
    more: `Asks the admin listener of the running gateway. While a route is under maintenance it answers 503 with Retry-After and the
page of the section "maintenance"; the addresses that are exempt there get through. What is switched here counts before
the configuration, stays so over reloads, and ends with the process.

  ROUTE           name of one route; without it all public routes, together
  --config FILE   where the address of the admin listener stands (default: config/gateway.json)
  --admin URL     ask this admin listener instead, for example http://127.0.0.1:9900`,
  },
  'transcripts import': {
    usage: 'transcripts import --from PATH [--channel NAME] [--remove] [--replace] [--config FILE]',
    about: 'seal transcripts from elsewhere into the folder',
    more: `Takes a file, or all .json, .html and .txt files of a folder. Each is sealed on the way and stands in the folder whole or not
at all; card numbers are masked, verification codes and tracks removed. Each is an audit line.

  --from PATH      a file or a folder, not in the folder of transcripts
  --channel NAME   folder below the folder of transcripts to put them in: the channel of the list
  --remove         overwrite and remove what was imported, once it was read back
  --replace        replace transcripts that are there already
  --config FILE    the configuration (default: config/gateway.json)`,
  },
  'transcripts seal': {
    usage: 'transcripts seal [--config FILE]',
    about: 'seal what lies in the clear in the folder, or under an older key',
    more: `Plain files are overwritten and removed once the sealed ones were read back; cards are masked as by "import". Run it after
"keys rotate", before "keys retire".

  --config FILE    the configuration (default: config/gateway.json)`,
  },
  'transcripts open': {
    usage: 'transcripts open --name NAME [--config FILE] > FILE',
    about: 'write one transcript to standard output; recorded',
    more: `As it is stored. Where it is damaged in the middle, the exit code is 1 and what came before is genuine.

  --name NAME      as the list shows it, with its folders
  --config FILE    the configuration (default: config/gateway.json)`,
  },
  'transcripts purge': {
    usage: 'transcripts purge [--dry-run] [--config FILE]',
    about: 'remove transcripts that are older than "keepDays"',
    more: `The gateway does the same at its start and once a day. Each removal is recorded before it is made; files are overwritten
first: docs/transcripts.md says what that is worth.

  --dry-run        say what would be removed
  --config FILE    the configuration (default: config/gateway.json)`,
  },
} as const satisfies Record<string, CommandHelp>

export type CommandName = keyof typeof COMMANDS

export const isCommand = (word: string): word is CommandName => Object.hasOwn(COMMANDS, word)

function listOf(names: readonly CommandName[], width: number): string {
  return names.map((name) => `  ${name.padEnd(width)}${COMMANDS[name].about}`).join('\n')
}

/** Of a word that commands of two words begin with (`keys`): these commands; null for any other word. */
export function groupHelpText(word: string): string | null {
  const names = (Object.keys(COMMANDS) as CommandName[]).filter((name) => name.startsWith(`${word} `))
  if (names.length === 0) return null
  const width = Math.max(...names.map((name) => name.length)) + 2
  return `Usage: portcullis ${word} COMMAND [OPTIONS]\n\n${listOf(names, width)}\n\n"portcullis help ${names[0]}" says more, as for each of them.\n`
}

export function helpText(): string {
  const names = Object.keys(COMMANDS) as CommandName[]
  const width = Math.max(...names.map((name) => name.length)) + 2
  return `portcullis: a hardened TLS gateway in front of chat services

Usage: portcullis COMMAND [OPTIONS]

${listOf(names, width)}
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
