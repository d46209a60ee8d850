// The image rows (C4) on the real Dockerfile, and proof that breaking a row is seen.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { dockerfileFindings, instructionsOf } from './dockerfile-rows.ts'

const root = new URL('../../', import.meta.url)
const dockerfile = readFileSync(new URL('Dockerfile', root), 'utf8')

const ROWS: Record<string, string> = {
  'C4 4.1': 'own numeric user, no shell at run time, production mode',
  'C4 4.2': 'trusted base: Alpine, pinned by digest, two stages',
  'C4 4.4': 'rebuilt with patches',
  'C4 4.6': 'HEALTHCHECK by the health command',
  'C4 4.8': 'no setuid or setgid bits',
  'C4 4.9': 'COPY, not ADD',
  'C4 4.10': 'no secrets',
  'C4 4.11': 'verified packages',
  'C4 5.7': 'no privileged ports',
}

for (const [row, says] of Object.entries(ROWS))
  t.test(`${row}: ${says}`, async (t) => {
    t.same(
      dockerfileFindings(dockerfile).filter((each) => each.row === row),
      [],
    )
  })

const BREAKS: [row: string, what: string, from: string | RegExp, to: string][] = [
  ['C4 4.1', 'root', 'USER 65532:65532', 'USER 0:0'],
  ['C4 4.1', 'root by name', 'USER 65532:65532', 'USER root'],
  ['C4 4.1', 'no user', 'USER 65532:65532', ''],
  ['C4 4.1', 'root again at the end', 'EXPOSE 8443', 'USER 0:0\nEXPOSE 8443'],
  ['C4 4.1', 'a shell as entry point', 'ENTRYPOINT ["node", "/app/bin/portcullis.js"]', 'ENTRYPOINT node app'],
  ['C4 4.1', 'development mode', 'NODE_ENV=production', 'NODE_ENV=development'],
  ['C4 4.2', 'a base without digest', /@sha256:[0-9a-f]{64}/, ''],
  ['C4 4.2', 'a base argument without default', /^ARG NODE_IMAGE=.*$/m, 'ARG NODE_IMAGE'],
  ['C4 4.2', 'a base that is not Alpine', 'alpine3.24', 'bookworm'],
  ['C4 4.2', 'one base unpinned', /\nFROM \$\{NODE_IMAGE\}\n/, '\nFROM node:26-alpine\n'],
  ['C4 4.4', 'no patches', 'apk upgrade --no-cache', 'true'],
  ['C4 4.6', 'no health check', /HEALTHCHECK[^\n]*\\\n[^\n]*\n/, ''],
  ['C4 4.6', 'a health check by shell', /CMD \["node", .*"health".*\]/, 'CMD wget -qO- localhost:9900'],
  ['C4 4.8', 'setuid bits', /find \/ -xdev.*\n/, 'true \\\n'],
  ['C4 4.9', 'ADD', 'COPY LICENSE', 'ADD LICENSE'],
  ['C4 4.10', 'a secret in the environment', 'ENV NODE_ENV', 'ENV REDIS_PASSWORD=x\nENV NODE_ENV'],
  ['C4 4.10', 'a secret as build argument', 'WORKDIR /app\nCOPY package', 'ARG NPM_TOKEN\nCOPY package'],
  ['C4 4.10', 'a key in the image', 'COPY LICENSE ./', 'COPY certs/chat.key ./'],
  ['C4 4.10', 'everything copied', 'COPY src ./src', 'COPY . .'],
  ['C4 4.11', 'npm install', 'npm ci', 'npm install'],
  ['C4 4.11', 'development packages', '--omit=dev ', ''],
  ['C4 4.11', 'optional packages', '--omit=optional ', ''],
  ['C4 4.11', 'unsigned packages', 'apk upgrade', 'apk upgrade --allow-untrusted'],
  ['C4 4.11', 'a bare download', 'apk upgrade', 'curl -O https://example.com/x && apk upgrade'],
  ['C4 5.7', 'a privileged port', 'EXPOSE 8443', 'EXPOSE 443'],
]

t.test('every broken row is reported', async (t) => {
  for (const [row, what, from, to] of BREAKS) {
    const broken = dockerfile.replace(from, to)
    t.not(broken, dockerfile, `${what}: the example breaks something`)
    t.ok(
      dockerfileFindings(broken).some((each) => each.row === row),
      `${row}: ${what}`,
    )
  }
})

t.test('C4 4.10: the build sees only what is named', async (t) => {
  const lines = readFileSync(new URL('.dockerignore', root), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  t.equal(lines[0], '*', 'everything is left out first')
  const named = lines.slice(1)
  t.ok(named.every((line) => /^!(?:LICENSE|package\.json|package-lock\.json|bin|src)$/.test(line)))
  const copied = instructionsOf(dockerfile)
    .filter((each) => each.word === 'COPY' && !each.rest.includes('--from'))
    .flatMap((each) => each.rest.split(/\s+/).slice(0, -1))
  t.same(copied.toSorted(), named.map((line) => line.slice(1)).toSorted(), 'what is named is what is copied')
})

t.test('C4 4.11: every package in the lockfile carries a hash', async (t) => {
  const lock = JSON.parse(readFileSync(new URL('package-lock.json', root), 'utf8')) as {
    packages: Record<string, { integrity?: string; link?: boolean; inBundle?: boolean }>
  }
  const bare = Object.entries(lock.packages)
    .filter(([path, each]) => path !== '' && each.integrity === undefined && !each.link && !each.inBundle)
    .map(([path]) => path)
  t.same(bare, [])
  for (const each of Object.values(lock.packages))
    if (each.integrity !== undefined && !each.integrity.startsWith('sha512-')) t.fail('a hash weaker than SHA-512')
})
