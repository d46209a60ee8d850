/** The command that switches maintenance, by the admin listener of a running gateway. It knows its path. */
import type { MaintenanceView } from '../exchange/maintenance.ts'
import { askAdmin } from './admin-request.ts'
import { COMMANDS } from './help.ts'
import { complain, FAILED, print, UsageError } from './said.ts'

type Values = Readonly<Record<string, string | boolean | undefined>>

const PATH = '/maintenance'

/** @returns The exit code. */
export async function runMaintenance(
  values: Values,
  words: readonly string[],
  adminUrl: (command: string, values: Values) => Promise<URL>,
): Promise<number> {
  const [action = '', route = '', ...more] = words
  if (!['on', 'off', 'status'].includes(action) || more.length > 0 || (action === 'status' && route !== '')) {
    throw new UsageError(`usage: portcullis ${COMMANDS.maintenance.usage}`)
  }
  const base = await adminUrl('maintenance', values)
  const wish = { on: action === 'on', ...(route === '' ? {} : { route }) }
  const answer = await (action === 'status'
    ? askAdmin(base, 'GET', PATH, '')
    : askAdmin(base, 'POST', PATH, JSON.stringify(wish)))
  if ('problem' in answer) {
    complain(`portcullis: ${answer.problem}`)
    return FAILED
  }
  const { maintenance } = answer.value as { maintenance: MaintenanceView[] }
  return print(maintenance.map(line).join(''))
}

function line({ route, isOn, isSwitched }: MaintenanceView): string {
  const by = isSwitched ? 'switched at run time' : 'by the configuration'
  return `${route === '' ? '(all routes)' : route}  ${isOn ? 'on' : 'off'}, ${by}\n`
}
