#!/usr/bin/env node
// Looks whether this Node can run the gateway, and says in one line what to do where it cannot. It keeps to syntax that
// old versions of Node can read.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const LEAST = [24, 7]
// V8 counts what lies outside of its heap, each TLS connection with 100 KB and each piece that is read, and looks the whole heap
// through for every 30 MB of that: under a crowd of connections three times a second, for 50 ms each. Here it does so at three times
// what was left the last time; the heap at five times, whatever V8 thinks of a process that had nothing to do for a while: it
// allows that one 20 MB more, which a crowd fills several times in its first second. The loop does most of it itself, a millisecond
// at a time: helper threads may have to wait (src/helper-threads.ts) while garbage piles up, or take whole slices from the loop
// where they share its processor. Nor is the heap made small when nothing happens (V8 reads `--no-memory-reducer` before a program
// can say it): the next client would wait for that, and optimized code goes with it, for a quarter of all work in the seconds after.
// The young generation stays as small as it begins until the gateway stands (src/young-generation.ts), so that it grows to just what
// is wanted.
const COLLECTING = [
  '--semi-space-growth-factor=1',
  '--external-memory-accounted-in-global-limit',
  '--external-memory-max-growing-factor=3',
  '--heap-growing-percent=400',
  '--memory-reducer-gc-count=0',
  '--no-concurrent-marking',
  '--no-parallel-scavenge',
  '--no-concurrent-array-buffer-sweeping',
]
const found = process.versions.node.split('.').map(Number)

if (found[0] > LEAST[0] || (found[0] === LEAST[0] && found[1] >= LEAST[1])) {
  if (process.argv[2] === 'start') {
    for (const flag of COLLECTING) setFlagsFromString(flag)
    offerCollector()
  }
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

// For src/exchange/young-garbage.ts. V8 has no other door to it, and nothing in src may make code of text.
function offerCollector() {
  setFlagsFromString('--expose-gc')
  globalThis.gc = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
}
