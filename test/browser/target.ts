/**
 * What the browser tests look at: the demo behind a gateway started for them (the rule), a gateway that runs already
 * (BROWSER_URL=https://127.0.0.1:8443), or the demo service alone (BROWSER_TARGET=service), which cleans nothing.
 */
import { startDemo } from '../../demo/chat-service.ts'

export interface Target {
  readonly url: string
  /** False for the service alone: what only the gateway does is then not tested. */
  readonly isGateway: boolean
  close(): Promise<void>
}

export async function startTarget(): Promise<Target> {
  const url = process.env.BROWSER_URL
  if (url !== undefined) return { url, isGateway: true, close: async () => {} }
  if (process.env.BROWSER_TARGET === 'service') {
    const demo = await startDemo()
    return { url: `http://127.0.0.1:${demo.port}`, isGateway: false, close: () => demo.close() }
  }
  const kit = new URL('../kit/gateway.ts', import.meta.url).href
  const { startDemoGateway } = (await import(kit)) as {
    startDemoGateway(): Promise<{ url: string; close(): Promise<void> }>
  }
  const gateway = await startDemoGateway()
  return { url: gateway.url, isGateway: true, close: () => gateway.close() }
}
