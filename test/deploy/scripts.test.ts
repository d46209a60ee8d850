// The shell around the project, with stand-ins for npm and apt-get: what .ci/run counts, and how packages are asked for.
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = fileURLToPath(new URL('../../', import.meta.url))

function run(program: string, args: string[], bin: string, env: Record<string, string> = {}) {
  return spawnSync(program, args, {
    env: { ...process.env, FORCE_COLOR: '1', ...env, PATH: `${bin}:${process.env.PATH}` },
    encoding: 'utf8',
    timeout: 60_000,
  })
}

t.test('.ci/run: the last line counts, and every failure is one', async (t) => {
  const summary = "echo '    # { total: 9, pass: 9 }'; echo '# { total: 5, pass: 4, skip: 1 }'"
  const folder = t.testdir({
    '.ci': {},
    bin: {
      npm: [
        '#!/bin/sh',
        'case "$*" in',
        `  "test --silent") ${summary} | sed "s/skip: 1/\${FAIL:+fail: $FAIL, }skip: 1/"; exit \${TEST:-0} ;;`,
        `  "run test:browser --silent") [ -n "$SILENT" ] || echo '# { total: 2, pass: 2 }'; exit 0 ;;`,
        '  "run check --silent") exit $CHECK ;;',
        '  ci*) exit $CI_CODE ;;',
        'esac',
      ].join('\n'),
    },
  })
  chmodSync(join(folder, 'bin/npm'), 0o755)
  copyFileSync(join(root, '.ci/run'), join(folder, '.ci/run'))
  const cases: [string, Record<string, string>, string, number][] = [
    ['all is well', {}, '6 passed, 0 failed', 0],
    ['failed tests', { FAIL: '2', TEST: '1' }, '6 passed, 2 failed', 1],
    ['a runner that fails without a failed test', { TEST: '1' }, '6 passed, 1 failed', 1],
    ['a runner that says nothing', { SILENT: '1' }, '4 passed, 1 failed', 1],
    ['a failed check', { CHECK: '1' }, '6 passed, 1 failed', 1],
    ['a failed installation', { CI_CODE: '3' }, '0 passed, 1 failed', 1],
  ]
  for (const [what, env, last, code] of cases) {
    const ended = run('bash', [join(folder, '.ci/run')], join(folder, 'bin'), { CHECK: '0', CI_CODE: '0', ...env })
    t.equal(ended.stdout.trimEnd().split('\n').at(-1), last, what)
    t.equal(ended.status, code, `${what}: exit code`)
  }
})

t.test('ensure-package.sh', async (t) => {
  const folder = t.testdir({
    bin: {
      'apt-get': [
        '#!/bin/sh',
        'echo "$*" >> "$STATE/calls"',
        'case " $* " in',
        '  *" update "*) touch "$STATE/updated" ;;',
        '  *" install "*) [ -e "$STATE/updated" ] || exit 100; touch "$STATE/have" ;;',
        'esac',
      ].join('\n'),
      id: '#!/bin/sh\necho "$FAKE_UID"',
    },
  })
  const bin = join(folder, 'bin')
  for (const name of ['apt-get', 'id']) chmodSync(join(bin, name), 0o755)
  const ensure = (state: string, check: string, env: Record<string, string> = {}) => {
    const place = join(folder, state)
    mkdirSync(place, { recursive: true })
    return run('sh', [join(root, 'scripts/ensure-package.sh'), check, 'foo', 'the test suite'], bin, {
      STATE: place,
      FAKE_UID: '0',
      ...env,
    })
  }

  t.test('is silent and touches nothing where the program is there', async (t) => {
    const ended = ensure('present', 'true')
    t.same([ended.status, ended.stdout, ended.stderr], [0, '', ''])
    t.notOk(existsSync(join(folder, 'present/calls')))
  })

  t.test('installs as root, with fresh lists where the first try fails, once', async (t) => {
    const check = `test -e ${join(folder, 'root/have')}`
    t.equal(ensure('root', check).status, 0)
    const calls = readFileSync(join(folder, 'root/calls'), 'utf8').trim().split('\n')
    t.match(calls, [/ install .*foo$/, /^update/, / install .*foo$/])
    const again = ensure('root', check)
    t.same([again.status, again.stdout], [0, ''])
    t.equal(readFileSync(join(folder, 'root/calls'), 'utf8').trim().split('\n').length, 3)
  })

  t.test('says in one sentence what to do where it may not', async (t) => {
    const ended = ensure('user', 'false', { FAKE_UID: '1000' })
    t.equal(ended.status, 1)
    t.match(ended.stderr, /^the test suite needs "foo"; only root may install it: sudo apt-get install foo\n$/)
    t.notOk(existsSync(join(folder, 'user/calls')))
  })

  t.test('fails where the package does not bring the program', async (t) => {
    const ended = ensure('useless', 'false')
    t.equal(ended.status, 1)
    t.match(ended.stderr, /still fails/)
  })
})
