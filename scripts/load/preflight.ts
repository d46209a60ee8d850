/**
 * One request before the load: does anything listen there, and is its certificate to be believed? The load generator
 * itself verifies no certificate, so this is the place where a foreign one is refused.
 */
import { request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'

/** Null when the load may start, else a sentence for a person. */
export function examineTarget(url: URL, isLoopback: boolean): Promise<string | null> {
  return new Promise((resolve) => {
    const send = url.protocol === 'https:' ? requestTls : requestPlain
    const request = send(url, { method: 'GET', timeout: 5000, rejectUnauthorized: !isLoopback, agent: false })
    request.on('response', (response) => {
      response.destroy()
      resolve(null)
    })
    request.on('timeout', () => request.destroy(new Error('no answer within 5 seconds')))
    request.on('error', (error: NodeJS.ErrnoException) => resolve(explain(url, error)))
    request.end()
  })
}

function explain(url: URL, error: NodeJS.ErrnoException): string {
  const where = url.origin
  if (error.code === 'ECONNREFUSED') return `Nothing listens at ${where}. Start the gateway first: npm start`
  if (error.code === 'ENOTFOUND') return `There is no host ${url.hostname}`
  if (error.code === 'EPROTO') return `${where} does not speak TLS. Is it the redirect or the admin port?`
  if (error.code === 'ECONNRESET' && url.protocol === 'http:')
    return `${where} closed the connection. Does it speak TLS?`
  if (error.code?.includes('CERT') || error.code?.includes('SIGNED') || error.code?.includes('SIGNATURE')) {
    return `The certificate of ${where} is not to be believed (${error.code}); only a loopback gateway may have such a one`
  }
  return `${where} cannot be reached: ${error.message}`
}
