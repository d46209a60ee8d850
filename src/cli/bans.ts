/** The commands that ban, unban and list, by the admin listener of a running gateway. It knows its paths and answers. */
import { request } from 'node:http'

const WAIT_MS = 5000
const MAX_BYTES = 8 * 1024 * 1024

export interface BanLine {
  readonly subject: string
  readonly until: string | null
  readonly reason: string
}

/** Null where it is done, else why not. `time` '' is a ban without an end. */
export async function requestBan(base: URL, subject: string, time: string, reason: string): Promise<string | null> {
  const wish = { subject, ...(time === '' ? {} : { for: time }), ...(reason === '' ? {} : { reason }) }
  const answer = await ask(base, 'POST', '/bans', JSON.stringify(wish))
  return 'problem' in answer ? answer.problem : null
}

export async function requestUnban(base: URL, subject: string): Promise<string | null> {
  const answer = await ask(base, 'DELETE', `/bans?subject=${encodeURIComponent(subject)}`, '')
  return 'problem' in answer ? answer.problem : null
}

export async function requestBans(base: URL): Promise<{ readonly problem: string } | readonly BanLine[]> {
  const answer = await ask(base, 'GET', '/bans', '')
  return 'problem' in answer ? answer : (answer.value as { bans: BanLine[] }).bans
}

/** A line for each ban: subject, end, why. */
export function bansText(bans: readonly BanLine[]): string {
  if (bans.length === 0) return 'nobody is banned\n'
  const width = Math.max(...bans.map(({ subject }) => subject.length))
  const lines = bans.map(({ subject, until, reason }) => {
    const end = until === null ? 'until unbanned' : `until ${until}`
    return `${subject.padEnd(width)}  ${end}${reason === '' ? '' : `  ${reason}`}`
  })
  return `${lines.join('\n')}\n`
}

type Answer = { readonly value: unknown } | { readonly problem: string }

function ask(base: URL, method: string, path: string, body: string): Promise<Answer> {
  const url = new URL(path, base)
  return new Promise((resolve) => {
    const headers = body === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const sent = request(url, { method, agent: false, headers, timeout: WAIT_MS }, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (piece: string) => {
        text += piece
        if (text.length > MAX_BYTES) sent.destroy(new Error('the answer is too long'))
      })
      answer.on('end', () => resolve(answerOf(base, answer.statusCode ?? 0, text)))
    })
    sent.on('timeout', () => sent.destroy(new Error('ETIMEDOUT')))
    sent.on('error', (error: NodeJS.ErrnoException) => {
      resolve({ problem: `the gateway at ${base.host} does not answer (${error.code ?? error.message})` })
    })
    sent.end(body)
  })
}

function answerOf(base: URL, status: number, text: string): Answer {
  let value: unknown = null
  try {
    value = JSON.parse(text)
  } catch {
    // What it is not, the status says.
  }
  if (status === 200 && value !== null) return { value }
  const { error, title } = (value ?? {}) as { error?: unknown; title?: unknown }
  const said = typeof error === 'string' ? error : typeof title === 'string' ? title : `status ${status}`
  return { problem: `the gateway at ${base.host} refused: ${said}` }
}
