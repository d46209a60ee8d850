/** The commands that show services and drain endpoints, by the admin listener of a running gateway. It knows its paths. */
import type { ServiceView } from '../exchange/service-book.ts'
import { askAdmin } from './admin-request.ts'
import { complain, FAILED, print } from './said.ts'

/** Prints all services. @returns The exit code. */
export async function runServices(base: URL, asJson: boolean): Promise<number> {
  const answer = await askAdmin(base, 'GET', '/services', '')
  if ('problem' in answer) return failed(answer.problem)
  const { services } = answer.value as { services: ServiceView[] }
  return print(asJson ? `${JSON.stringify(services, null, 2)}\n` : servicesText(services))
}

/** @returns The exit code. */
export async function runDrain(
  base: URL,
  action: 'drain' | 'undrain',
  service: string,
  endpoint: string,
): Promise<number> {
  const answer = await askAdmin(base, 'POST', `/services/${action}`, JSON.stringify({ service, endpoint }))
  return 'problem' in answer ? failed(answer.problem) : print(`${action}ed\n`)
}

function failed(problem: string): number {
  complain(`portcullis: ${problem}`)
  return FAILED
}

/** A line for each endpoint. */
function servicesText(services: readonly ServiceView[]): string {
  const rows = services.flatMap(({ name, circuit, waiting, endpoints }) => [
    [name, `circuit ${circuit}`, `${waiting} waiting`, ''],
    ...endpoints.map((each) => [
      `  ${each.name}`,
      each.state,
      `${each.requests} requests`,
      `${each.sockets} sockets, weight ${each.weight}`,
    ]),
  ])
  const widths = [0, 1, 2].map((i) => Math.max(0, ...rows.map((row) => row[i]!.length)))
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}
