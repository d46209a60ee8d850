/** A fixed answer, compressed once for all: it holds nothing of a request, so it may be, whoever asks. It knows no service. */
import type { Metrics, Responder } from '../exchange/contracts.ts'
import { type ContentCoding, chooseCoding } from '../http/accept-encoding.ts'
import { type HeaderList, joinHeader } from '../http/headers.ts'
import type { CodingRules } from './coded-answer.ts'
import { codedFields, isCompressible } from './compressible.ts'
import { compressWhole } from './compressors.ts'
import { varyByCoding } from './vary.ts'

/** Null where it goes as it is. */
export function preparedResponder(
  status: number,
  headers: HeaderList,
  body: Buffer,
  rules: CodingRules,
  metrics: Metrics,
): Responder | null {
  if (body.length < rules.minBytes || !isCompressible(status, headers, rules)) return null
  const forms = new Map<ContentCoding, readonly [headers: HeaderList, body: Buffer]>()
  for (const coding of rules.order) {
    const coded = compressWhole(body, coding, rules.levels[coding])
    if (coded !== null) forms.set(coding, [codedFields(headers, coding), coded])
  }
  if (forms.size === 0) return null
  const order = [...forms.keys()]
  return (x) => {
    varyByCoding(x, headers)
    const coding = x.head.protocol === 'http/1.0' ? null : chooseCoding(joinHeader(x.headers, 'accept-encoding'), order)
    if (coding === null) return x.respond(status, headers, body)
    const [fields, coded] = forms.get(coding)!
    metrics.count('answers_compressed_total', coding)
    x.respond(status, fields, coded)
  }
}
