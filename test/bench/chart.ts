/** Results as a bar chart, SVG: each scenario a group, each contender a bar, as a multiple of nginx. */
import type { Results } from './results.ts'
import { SCENARIOS } from './scenarios.ts'

const WIDTH = 760
const LEFT = 240
const RIGHT = 60
const BAR = 16
const GAP = 4
const GROUP_GAP = 34
const TOP = 70

/** Groups that have nginx as their measure; memory and the gateway's comparisons with itself stand in tables only. */
const CHARTED = SCENARIOS.filter(({ kind, base }) => kind !== 'idle' && base.startsWith('nginx'))

/** A whole SVG document. */
export function chart(results: Results): string {
  const groups = CHARTED.flatMap(({ name, title, base }) => {
    const rows = results.scenarios[name]?.rows ?? []
    const unit = rows.find((row) => row.label === base)?.median.value
    if (unit === undefined) return []
    return [{ title, bars: rows.map(({ label, median }) => ({ label, ratio: median.value / unit })) }]
  })
  const most = Math.max(1, ...groups.flatMap(({ bars }) => bars.map(({ ratio }) => ratio)))
  const scale = (WIDTH - LEFT - RIGHT) / most
  const body: string[] = []
  let y = TOP
  for (const { title, bars } of groups) {
    body.push(`<text x="16" y="${y}" class="group">${plain(title)}</text>`)
    y += 10
    for (const { label, ratio } of bars.toSorted((a, b) => b.ratio - a.ratio)) {
      const kind = label.startsWith('portcullis') ? 'own' : 'peer'
      const width = Math.max(1, ratio * scale).toFixed(1)
      const middle = y + BAR - 4
      body.push(
        `<text x="${LEFT - 8}" y="${middle}" text-anchor="end" class="${kind}-name">${plain(label)}</text>`,
        `<rect x="${LEFT}" y="${y}" width="${width}" height="${BAR}" rx="2" class="${kind}"/>`,
        `<text x="${(LEFT + Number(width) + 6).toFixed(1)}" y="${middle}" class="value">${ratio.toFixed(2)}</text>`,
      )
      y += BAR + GAP
    }
    y += GROUP_GAP - GAP
  }
  const line = (LEFT + scale).toFixed(1)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img">
<title>Work per second of processor time, nginx = 1</title>
<style>
text { font: 13px system-ui, sans-serif; fill: #24292f }
.head { font-size: 17px; font-weight: 600 }
.group, .own-name { font-weight: 600 }
.note, .value { fill: #57606a }
.own { fill: #0b6e4f }
.peer { fill: #b6bec8 }
.one { stroke: #57606a; stroke-dasharray: 3 4 }
</style>
<rect width="100%" height="100%" fill="#fff"/>
<text x="16" y="28" class="head">Work per second of processor time, nginx = 1</text>
<text x="16" y="46" class="note">Longer is better. Method and figures: docs/performance.md</text>
<line x1="${line}" y1="${TOP}" x2="${line}" y2="${y - GROUP_GAP}" class="one"/>
${body.join('\n')}
</svg>
`
}

function plain(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
