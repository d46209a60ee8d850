/** The commands that ban, unban and list, by the admin listener of a running gateway. It knows its paths and answers. */
import { askAdmin } from './admin-request.ts'
import { complain, FAILED, print } from './said.ts'

interface BanLine {
  readonly subject: string
  readonly until: string | null
  readonly reason: string
}

/** Null where it is done, else why not. `time` '' is a ban without an end. */
export async function requestBan(base: URL, subject: string, time: string, reason: string): Promise<string | null> {
  const wish = { subject, ...(time === '' ? {} : { for: time }), ...(reason === '' ? {} : { reason }) }
  const answer = await askAdmin(base, 'POST', '/bans', JSON.stringify(wish))
  return 'problem' in answer ? answer.problem : null
}

export async function requestUnban(base: URL, subject: string): Promise<string | null> {
  const answer = await askAdmin(base, 'DELETE', `/bans?subject=${encodeURIComponent(subject)}`, '')
  return 'problem' in answer ? answer.problem : null
}

/** Prints all bans. @returns The exit code. */
export async function runBans(base: URL, asJson: boolean): Promise<number> {
  const answer = await askAdmin(base, 'GET', '/bans', '')
  if ('problem' in answer) {
    complain(`portcullis: ${answer.problem}`)
    return FAILED
  }
  const { bans } = answer.value as { bans: BanLine[] }
  return print(asJson ? `${JSON.stringify(bans, null, 2)}\n` : bansText(bans))
}

/** A line for each ban: subject, end, why. */
function bansText(bans: readonly BanLine[]): string {
  if (bans.length === 0) return 'nobody is banned\n'
  const width = Math.max(...bans.map(({ subject }) => subject.length))
  const lines = bans.map(({ subject, until, reason }) => {
    const end = until === null ? 'until unbanned' : `until ${until}`
    return `${subject.padEnd(width)}  ${end}${reason === '' ? '' : `  ${reason}`}`
  })
  return `${lines.join('\n')}\n`
}
