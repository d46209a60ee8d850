/** Holds a Dockerfile to the container-image rows (C4) and says which are broken. It reads text and builds nothing. */

export interface Finding {
  /** Row of the compliance table with the number of the CIS Docker benchmark, `C4 4.1`. */
  readonly row: string
  readonly says: string
}

interface Instruction {
  readonly word: string
  readonly rest: string
}

/** Instructions in order; comments gone, continued lines joined. */
export function instructionsOf(text: string): Instruction[] {
  const lines = text.split('\n').filter((line) => !/^\s*#/.test(line))
  const joined = lines.join('\n').replace(/\\\n\s*/g, ' ')
  return joined
    .split('\n')
    .map((line) => /^\s*([A-Za-z]+)\s+(.*)$/.exec(line))
    .filter((found) => found !== null)
    .map((found) => ({ word: found[1]!.toUpperCase(), rest: found[2]!.trim() }))
}

const DIGEST = /@sha256:[0-9a-f]{64}$/
const SECRET_NAME = /(?:PASS(?:WORD|PHRASE)?|SECRET|TOKEN|CREDENTIAL|PRIVATE|API_?KEY)/i
const SECRET_FILE = /(?:\.pem|\.key|\.p12|\.pfx|\.npmrc|\.env|id_rsa|secrets?\/|certs\/)/i

/** The image a FROM names, with the defaults of the arguments before it filled in. */
function resolve(image: string, defaults: ReadonlyMap<string, string>): string {
  return image.replace(/\$\{?(\w+)\}?/g, (_, name: string) => defaults.get(name) ?? '')
}

export function dockerfileFindings(text: string): Finding[] {
  const findings: Finding[] = []
  const report = (row: string, says: string) => findings.push({ row: `C4 ${row}`, says })
  const all = instructionsOf(text)
  const of = (word: string) => all.filter((each) => each.word === word)
  const lastFrom = all.findLastIndex((each) => each.word === 'FROM')
  const final = all.slice(lastFrom + 1)

  const users = final.filter((each) => each.word === 'USER')
  const user = /^(\d+):(\d+)$/.exec(users.at(-1)?.rest ?? '')
  if (user === null) report('4.1', 'the last USER must be numeric, user and group')
  else if (Number(user[1]) === 0 || Number(user[2]) === 0) report('4.1', 'the last USER is root')

  const defaults = new Map<string, string>()
  for (const each of all.slice(0, lastFrom)) {
    const found = each.word === 'ARG' ? /^(\w+)=(\S+)$/.exec(each.rest) : null
    if (found !== null) defaults.set(found[1]!, found[2]!)
  }
  const stages = new Set<string>()
  for (const { rest } of of('FROM')) {
    const [, image = '', stage] = /^(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?$/i.exec(rest) ?? []
    const base = resolve(image, defaults)
    if (!stages.has(base)) {
      if (!DIGEST.test(base)) report('4.2', `${image} is not pinned by digest`)
      if (!/alpine/.test(base)) report('4.2', `${image} is not an Alpine image`)
    }
    if (stage !== undefined) stages.add(stage)
  }
  if (of('FROM').length !== 2) report('4.2', 'the image is built in two stages')

  const runs = of('RUN').map((each) => each.rest)
  const finalRuns = final.filter((each) => each.word === 'RUN').map((each) => each.rest)
  if (!finalRuns.some((run) => /\bapk upgrade\b/.test(run))) report('4.4', 'the final stage does not install patches')

  if (!finalRuns.some((run) => /-perm -4000 -o -perm -2000 .*chmod a-s/.test(run)))
    report('4.8', 'setuid and setgid bits stay')

  const health = final.find((each) => each.word === 'HEALTHCHECK')
  if (health === undefined || !/"node", ?"[^"]*bin\/portcullis\.js", ?"health"/.test(health.rest))
    report('4.6', 'no HEALTHCHECK by the health command, without a shell')

  if (of('ADD').length > 0) report('4.9', 'ADD is used; COPY does not fetch or unpack')

  for (const { word, rest } of all) {
    if ((word === 'ENV' || word === 'ARG') && SECRET_NAME.test(rest.split('=')[0]!))
      report('4.10', `${word} ${rest.split('=')[0]} looks like a secret`)
    if (word === 'COPY' && SECRET_FILE.test(rest)) report('4.10', `COPY ${rest} looks like a secret`)
    if (word === 'COPY' && /^(?:--\S+\s+)*\.\/?\s/.test(rest)) report('4.10', 'COPY takes the whole folder')
  }

  if (!runs.some((run) => /\bnpm ci\b/.test(run))) report('4.11', 'packages are not installed by npm ci')
  for (const run of runs) {
    if (/\bnpm (?:install|i|add)\b/.test(run)) report('4.11', 'npm install does not hold the lockfile')
    if (/\bnpm ci\b/.test(run) && !/--omit=dev\b/.test(run)) report('4.11', 'npm ci brings development packages')
    if (/\bnpm ci\b/.test(run) && !/--omit=optional\b/.test(run)) report('4.11', 'npm ci brings optional packages')
    if (/--allow-untrusted|--no-verify|strict-ssl[= ]false|NODE_TLS_REJECT_UNAUTHORIZED/.test(run))
      report('4.11', 'a signature check is switched off')
    if (/\b(?:curl|wget)\b/.test(run)) report('4.11', 'a download that no package manager verifies')
  }

  for (const { rest } of of('EXPOSE'))
    for (const port of rest.split(/\s+/))
      if (Number.parseInt(port, 10) < 1024) report('5.7', `port ${port} is privileged`)
  for (const word of ['ENTRYPOINT', 'CMD']) {
    const found = final.find((each) => each.word === word)
    if (found === undefined || !found.rest.startsWith('[')) report('4.1', `${word} needs a shell`)
  }
  if (!final.some((each) => each.word === 'ENV' && /\bNODE_ENV=production\b/.test(each.rest)))
    report('4.1', 'NODE_ENV is not production')
  return findings
}
