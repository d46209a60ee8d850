/** The service behind the contenders: small and large answers, and uploads. Prints its port; plain HTTP. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const LARGE = Buffer.alloc(16 * 2 ** 20, 'x')

const server = createServer((request, response) => {
  if (request.method === 'POST') {
    request.resume().once('end', () => response.end('ok'))
    request.on('error', () => {})
    return
  }
  response.end(request.url === '/large' ? LARGE : 'small')
}).listen(0, '127.0.0.1', 1024)
server.once('listening', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`))
process.stdin.resume().once('end', () => process.exit(0))
