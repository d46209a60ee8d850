/** The upstream of all contenders: nginx for HTTP where it is installed, else Node; Node for WebSocket. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../kit/redis.ts'
import { upstreamConfig } from './nginx.ts'
import { LARGE_BODY, LARGE_PATH, SMALL_BODY, SMALL_PATH } from './place.ts'
import { has, type Program, startProgram, untilListening } from './programs.ts'

export interface Upstream {
  readonly sitePort: number
  readonly socketPort: number
  readonly isNginx: boolean
  stop(): Promise<void>
}

/** Starts both on the processors of this process. */
export async function startUpstream(folder: string): Promise<Upstream> {
  const site = join(folder, 'site')
  mkdirSync(site)
  writeFileSync(join(site, SMALL_PATH), SMALL_BODY)
  writeFileSync(join(site, LARGE_PATH), LARGE_BODY)
  const programs: Program[] = []
  const start = async (name: string, port: number, command: string, args: string[]): Promise<void> => {
    const outPath = join(folder, `${name}.out`)
    const program = startProgram(command, args, { cwd: folder, outPath, cpus: null })
    programs.push(program)
    await untilListening(port, program)
  }
  const socketPort = await freePort()
  const program = join(import.meta.dirname, 'upstream-program.ts')
  await start('upstream-node', socketPort, process.execPath, [program, String(socketPort)])
  const isNginx = has('nginx')
  let sitePort = socketPort
  if (isNginx) {
    sitePort = await freePort()
    const conf = join(folder, 'upstream.conf')
    writeFileSync(conf, upstreamConfig(folder, sitePort, socketPort))
    await start('upstream', sitePort, 'nginx', ['-p', folder, '-c', conf])
  }
  return {
    sitePort,
    socketPort,
    isNginx,
    stop: async () => void (await Promise.all(programs.map((each) => each.stop()))),
  }
}
