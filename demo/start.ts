/** What `npm start` puts behind the gateway, and what it tells the person who started it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigurationError } from '../src/errors.ts'
import { startDemo } from './chat-service.ts'
import { DEMO_ACCOUNTS, ensureDemoState } from './state.ts'

const ROOT = join(import.meta.dirname, '..')
const CONFIG = 'config/gateway.json'

export interface DemoBehindGateway {
  readonly configPath: string
  /** Says where to look; call it when the gateway serves. */
  onServing(): void
}

/**
 * Starts the chat service where the demo configuration expects it, and makes the transcript account at the first start.
 * Throws a ConfigurationError where the service's port is taken.
 */
export async function startBehindGateway(): Promise<DemoBehindGateway> {
  // Paths in a configuration are relative to the working folder; the demo's are relative to the project.
  process.chdir(ROOT)
  const { user, password } = await ensureDemoState()
  const port = servicePort()
  try {
    await startDemo({ port })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new ConfigurationError([
      `${CONFIG} services.chat.endpoints[0]: 127.0.0.1:${port} is taken by another program, and the demo's chat service needs it; stop that program or choose another port`,
    ])
  }
  return {
    configPath: CONFIG,
    onServing: () => process.stdout.write(welcome(user, password)),
  }
}

/** Read from the one place where it stands. */
function servicePort(): number {
  const found = /"endpoints": \["http:\/\/127\.0\.0\.1:(\d+)"\]/.exec(readFileSync(CONFIG, 'utf8'))
  if (found === null) throw new ConfigurationError([`${CONFIG}: the demo needs one endpoint http://127.0.0.1:PORT`])
  return Number(found[1])
}

function welcome(user: string, password: string | null): string {
  const secret =
    password === null
      ? `user ${user}, the password of the first start (forgotten? delete ${DEMO_ACCOUNTS.slice(ROOT.length + 1)} and start again)`
      : `user ${user}, password ${password} (shown this once; only its hash is kept)`
  return `
portcullis runs, with a demo chat behind it. Certificates are self-signed: browsers ask once.

  Chat          https://localhost:8443/
  Transcripts   https://localhost:9443/   ${secret}
  Plain HTTP    http://localhost:8080/    redirects to HTTPS
  Operation     http://127.0.0.1:9900/   status; /health/ready and /metrics for programs

Logs are in logs/. Your own configuration: npm start -- --config FILE. End with Ctrl-C.

`
}
