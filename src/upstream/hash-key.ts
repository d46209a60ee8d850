/** What keeps requests together where a service balances by hash: one key of an exchange. It knows no endpoint. */
import type { ServiceConfig } from '../config/shape.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { getHeader } from '../http/headers.ts'
import { hashText } from './hash.ts'

export type KeyOf = (x: Exchange) => number

/** Null where the method does not hash. A request without the header, cookie or segment counts by its client's address. */
export function makeHashKey(method: ServiceConfig['balance']): KeyOf | null {
  if (typeof method === 'string') return null
  const { hash } = method
  const byAddress: KeyOf = (x) => hashText(x.clientKey)
  if (hash === 'address') return byAddress
  if (hash === 'path') return (x) => hashText(x.path)
  const read = readerOf(hash)
  return (x) => {
    const text = read(x)
    return text === null || text === '' ? byAddress(x) : hashText(text)
  }
}

type Parts = Exclude<Exclude<ServiceConfig['balance'], string>['hash'], string>

function readerOf(hash: Parts): (x: Exchange) => string | null {
  if ('header' in hash) return (x) => getHeader(x.headers, hash.header)
  if ('segment' in hash) return (x) => x.path.split('/', hash.segment + 1)[hash.segment] ?? null
  const start = `${hash.cookie}=`
  return (x) => {
    const sent = getHeader(x.headers, 'cookie')
    return (
      sent
        ?.split(/; ?/)
        .find((part) => part.startsWith(start))
        ?.slice(start.length) ?? null
    )
  }
}
