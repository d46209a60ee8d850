/** The commands about keys, URL tokens and stored transcripts: what was asked for, checked, and handed on. */
import { configurationOf, withAudit } from './audited-command.ts'
import { type KeysAction, runKeys } from './keys-command.ts'
import { readMessage } from './message-input.ts'
import { complain, DONE, FAILED, print, UsageError } from './said.ts'
import { importTranscripts, openOne, purge, sealTranscripts } from './transcripts-command.ts'
import { runUrl } from './url-command.ts'

type Values = Readonly<Record<string, string | boolean | undefined>>

const textOf = (value: string | boolean | undefined): string | null => (typeof value === 'string' ? value : null)

export async function runKeysCommand(action: KeysAction, values: Values, defaultConfig: string): Promise<number> {
  const id = textOf(values.id)
  if (action === 'retire' && id === null) throw new UsageError('keys retire: --id is missing; "keys list" shows them')
  return print(await runKeys(action, configurationOf(textOf(values.config) ?? defaultConfig), id))
}

export async function runUrlCommand(action: 'seal' | 'open', values: Values, defaultConfig: string): Promise<number> {
  const kind = textOf(values.kind)
  if (kind === null)
    throw new UsageError(`url ${action}: --kind is missing; it is one of "sealed" in the configuration`)
  const config = configurationOf(textOf(values.config) ?? defaultConfig)
  // Never from the command line, where other users of the machine could see it.
  const value = (await readMessage(process.stdin)) ?? ''
  const { out, problem } = await runUrl(action, config, kind, value)
  if (problem !== '') complain(`portcullis: ${problem}`)
  print(out)
  return problem === '' ? DONE : FAILED
}

export async function runTranscriptsCommand(
  action: 'import' | 'seal' | 'open' | 'purge',
  values: Values,
  defaultConfig: string,
): Promise<number> {
  const from = textOf(values.from) ?? ''
  const name = textOf(values.name) ?? ''
  if (action === 'import' && from === '')
    throw new UsageError('transcripts import: --from is missing; a file or a folder')
  if (action === 'open' && name === '')
    throw new UsageError('transcripts open: --name is missing; as the list shows it')
  const config = configurationOf(textOf(values.config) ?? defaultConfig)
  const out = {
    done: (line: string) => void print(`${line}\n`),
    problem: (line: string) => complain(`portcullis: ${line}`),
  }
  const failed = await withAudit(config, async (audit) => {
    if (action === 'seal') return sealTranscripts(config, audit, out)
    if (action === 'purge') return purge(config, values['dry-run'] === true, audit, out)
    if (action === 'open') return openOne(config, name, audit, writeOut)
    const wish = { channel: textOf(values.channel), removes: values.remove === true, replaces: values.replace === true }
    return importTranscripts(config, { from, ...wish }, audit, out)
  })
  return failed === 0 ? DONE : FAILED
}

/** Waits for a reader that is slower than the disk. */
function writeOut(bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()))
  })
}
