#!/usr/bin/env node
// Looks whether this Node can run the gateway, and says in one line what to do where it cannot. It keeps to syntax that
// old versions of Node can read.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'

// A young generation that never grows: what a proxy makes dies at once, and what passes through should not push it out of
// the processor's cache. Streams of gigabytes cost less memory and less time so. It has to be said before anything is loaded.
setFlagsFromString('--semi-space-growth-factor=1')

const LEAST = [24, 7]
const found = process.versions.node.split('.').map(Number)

if (found[0] > LEAST[0] || (found[0] === LEAST[0] && found[1] >= LEAST[1])) {
  import('../src/cli.ts').then(
    (cli) => cli.runCli(process.argv.slice(2)),
    (error) => {
      console.error(`portcullis: cannot be loaded (${error.message}); is it installed whole? Run: npm ci`)
      process.exitCode = 1
    },
  )
} else {
  console.error(`portcullis: needs Node ${LEAST.join('.')} or later, this is ${process.versions.node}; ${advice()}`)
  process.exitCode = 1
}

function advice() {
  const pinned = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url))
  if (!existsSync(pinned)) return 'run: npm ci && npm start (it brings its own runtime), or install a newer Node'
  const run = spawnSync(pinned, ['--version'], { encoding: 'utf8', timeout: 10000 })
  if (run.status === 0) return `run: npm start (it uses the pinned Node ${run.stdout.trim()})`
  if (/libatomic/.test(run.stderr || '')) {
    return 'the pinned runtime lacks a library of the system: install libatomic1 (apt-get install libatomic1), then run: npm start'
  }
  return 'the pinned runtime node_modules/.bin/node does not run here (it needs libatomic1); install that or a newer Node'
}
