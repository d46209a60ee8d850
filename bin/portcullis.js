#!/usr/bin/env node
// Looks whether this Node can run the gateway, and says in one line what to do where it cannot. It keeps to syntax that
// old versions of Node can read.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const LEAST = [24, 7]
const SEMI_SPACE_MB = 12
// V8 counts what lies outside of its heap, each TLS connection with 100 KB and each piece that is read, and looks the whole heap
// through for every 30 MB of that: under a crowd of connections three times a second, for 50 ms each. Here it does so at three times
// what was left the last time. What is read is given back at once, and not by a helper thread, which may have to wait
// (src/helper-threads.ts) while it piles up.
const COLLECTING = [
  '--external-memory-accounted-in-global-limit',
  '--external-memory-max-growing-factor=3',
  '--no-concurrent-array-buffer-sweeping',
]
const found = process.versions.node.split('.').map(Number)

if (found[0] > LEAST[0] || (found[0] === LEAST[0] && found[1] >= LEAST[1])) {
  if (process.argv[2] === 'start') {
    settleYoungGeneration()
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

// A young generation of a fixed size. What a proxy makes dies at once, so that collecting costs by the number of collections, and
// what happens to be alive then grows old without need: with 12 MB a chat message takes a twelfth less of the processor than with
// 4 MB, and hardly more than with 32 MB. What passes through lies outside, and is not held back by it
// (src/exchange/client-inlet.ts, src/exchange/young-garbage.ts). V8 takes the size from its command line alone, which a program
// cannot give itself; but it grows by as much as it is told to when enough survives, and afterwards not any more.
function settleYoungGeneration() {
  setFlagsFromString(`--semi-space-growth-factor=${SEMI_SPACE_MB}`)
  for (let tries = 0; tries < 50 && youngBytes() < 2 * SEMI_SPACE_MB * 1024 * 1024; tries++) {
    const survivors = []
    for (let i = 0; i < 40000; i++) survivors.push({ i })
  }
  setFlagsFromString('--semi-space-growth-factor=1')
}

// For src/exchange/young-garbage.ts. V8 has no other door to it, and nothing in src may make code of text.
function offerCollector() {
  setFlagsFromString('--expose-gc')
  globalThis.gc = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
}

function youngBytes() {
  return getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size
}
