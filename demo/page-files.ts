/** The files of the demo page, read once at start. A fixed list: no name that a client sends ever reaches the disk. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export interface PageFile {
  readonly type: string
  readonly body: Buffer
}

const SCRIPT = 'text/javascript; charset=utf-8'

/** Public path to file. The socket.io browser client comes from the installed package, so both ends have one version. */
export function readPageFiles(): ReadonlyMap<string, PageFile> {
  const page = join(import.meta.dirname, 'page')
  const socketIo = dirname(createRequire(import.meta.url).resolve('socket.io/package.json'))
  const file = (type: string, path: string): PageFile => ({ type, body: readFileSync(path) })
  return new Map([
    ['/', file('text/html; charset=utf-8', join(page, 'index.html'))],
    ['/assets/style.css', file('text/css; charset=utf-8', join(page, 'style.css'))],
    ['/assets/chat.js', file(SCRIPT, join(page, 'chat.js'))],
    ['/assets/transports.js', file(SCRIPT, join(page, 'transports.js'))],
    ['/assets/trials.js', file(SCRIPT, join(page, 'trials.js'))],
    ['/assets/icon.svg', file('image/svg+xml', join(page, 'icon.svg'))],
    ['/assets/socket.io.js', file(SCRIPT, join(socketIo, 'client-dist', 'socket.io.esm.min.js'))],
  ])
}
