/**
 * The frame of the gateway's own pages for people: one style sheet inside the page, and the policy that allows exactly that. It
 * knows what is on no page.
 */
import { createHash } from 'node:crypto'
import { getHeader, type HeaderList } from '../http/headers.ts'

/** How pages look. */
export const PAGE_LOOK = `:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--line:#d9dfe7;--paper:#f6f8fa;--card:#fff;--mark:#0b63ce;--own:#e3effd;--bad:#a3121b}
@media (prefers-color-scheme:dark){:root{--ink:#e6ebf2;--soft:#9aa7b8;--line:#303a48;--paper:#12171e;--card:#1a212b;--mark:#7db7ff;--own:#1d3350;--bad:#ff9a9e}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
header,main,footer{max-width:56rem;margin:0 auto;padding:1rem 1.25rem}header{padding-top:2rem}footer,.soft{color:var(--soft);font-size:.875rem}
h1{margin:0 0 .25rem;font-size:1.6rem;overflow-wrap:anywhere}a{color:var(--mark)}a:focus-visible,input:focus-visible,select:focus-visible,button:focus-visible{outline:3px solid var(--mark);outline-offset:2px}
form{display:flex;flex-wrap:wrap;gap:.5rem;align-items:end;margin:0 0 1rem}label{display:block;font-size:.875rem;color:var(--soft)}
input,select,button{font:inherit;color:inherit;padding:.4rem .7rem;border:1px solid var(--line);border-radius:.5rem;background:var(--card);min-height:2.5rem}button{cursor:pointer;font-weight:600}
.card{background:var(--card);border:1px solid var(--line);border-radius:.75rem;overflow-x:auto}table{width:100%;border-collapse:collapse}caption{text-align:start;padding:.75rem 1rem;color:var(--soft)}
th,td{text-align:start;padding:.5rem 1rem;border-top:1px solid var(--line);overflow-wrap:anywhere}td.when{white-space:nowrap;color:var(--soft)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.5rem 0}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
ol.talk{list-style:none;margin:0;padding:0}ol.talk li{max-width:85%;margin:0 0 .75rem;padding:.6rem .9rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem}
ol.talk li.staff{margin-inline-start:auto;background:var(--own)}ol.talk li.note{max-width:none;border-style:dashed;color:var(--soft)}
ol.talk p{margin:.15rem 0 0;white-space:pre-wrap;overflow-wrap:anywhere}.who{font-weight:600}
form.tall{display:block;max-width:26rem}form.tall>div{margin:0 0 1rem}form.tall input{width:100%}.trouble{border:2px solid var(--bad);color:var(--bad);border-radius:.5rem;padding:.25rem 1rem;margin:0 0 1rem;max-width:26rem}
footer form{display:inline}footer button{font-weight:400;padding:.1rem .5rem}
@media print{body{background:#fff;color:#000}form,.skip{display:none}a{color:inherit;text-decoration:none}.card,ol.talk li{border-color:#999;background:#fff;break-inside:avoid}header,main,footer{max-width:none;padding:.5rem 0}}
.skip{position:absolute;inset-inline-start:-99rem}.skip:focus{inset-inline-start:1rem;top:.5rem;padding:.4rem .7rem;background:var(--card);outline:3px solid var(--mark)}`

/** A style or a script as a policy names it. */
export const hashOf = (source: string): string => `'sha256-${createHash('sha256').update(source).digest('base64')}'`

/** What a policy must allow for the pages made here. */
export const PAGE_STYLE = hashOf(PAGE_LOOK)

/** Content-Security-Policy of every page made here: its own style sheet, its own forms, nothing else. */
export const PAGE_POLICY = `default-src 'none'; style-src ${PAGE_STYLE}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`

interface DocumentParts {
  readonly title: string
  /** The style sheet. */
  readonly look: string
  readonly lead: string
  readonly main: string
  readonly footer: string
  /** An element, or ''. */
  readonly script: string
}

/** A whole document. `title` is text; the others are HTML whose every foreign part went through `escapeHtml`. */
export function makeDocument({ title, look, lead, main, footer, script }: DocumentParts): Buffer {
  const safe = escapeHtml(title)
  return Buffer.from(
    `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${safe}</title><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex"><meta name="referrer" content="same-origin"><style>${look}</style></head>
<body><a class="skip" href="#main">Skip to the content</a><header><h1><bdi>${safe}</bdi></h1>${lead}</header>
<main id="main" tabindex="-1">${main}</main>
<footer>${footer}</footer>${script}</body></html>
`,
  )
}

/** A page of the transcripts, whose forms may send: without a referrer browsers hide the origin of a form, and it would be refused. */
export function makePage(title: string, lead: string, main: string, footer = ''): Buffer {
  const closing = `${footer}Each look at a transcript is recorded.`
  return makeDocument({ title, look: PAGE_LOOK, lead, main, footer: closing, script: '' })
}

/** Text as HTML text or as a quoted attribute. Characters that no HTML may hold become U+FFFD. */
export function escapeHtml(text: string): string {
  return text.replace(SPECIAL, replacement)
}

const SPECIAL = /[&<>"'`\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g

function replacement(character: string): string {
  switch (character) {
    case '&':
      return '&amp;'
    case '<':
      return '&lt;'
    case '>':
      return '&gt;'
    case '"':
      return '&quot;'
    case "'":
      return '&#39;'
    case '`':
      return '&#96;'
    default:
      return '\ufffd'
  }
}

/** True where Accept names text/html, and at least as gladly as application/json: a person's browser. */
export function prefersPage(headers: HeaderList): boolean {
  const accept = getHeader(headers, 'accept')
  if (accept === null || accept.length > 1024) return false
  let html = 0
  let json = 0
  for (const each of accept.toLowerCase().split(',')) {
    const [type, ...parameters] = each.split(';')
    const weight = weightOf(parameters)
    if (type!.trim() === 'text/html') html = weight
    else if (type!.trim() === 'application/json') json = weight
  }
  return html > 0 && html >= json
}

function weightOf(parameters: readonly string[]): number {
  for (const each of parameters) {
    const found = /^\s*q=([01](?:\.\d{0,3})?)\s*$/.exec(each)
    if (found !== null) return Number(found[1])
  }
  return 1
}
