/** The stages that keep banned clients out: by address before anything is looked up, by user as soon as that is known. */
import { DONE, GO, type Metrics, type Stage } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { Bans } from './bans.ts'

export function makeAddressBan(bans: Bans, metrics: Metrics): Stage {
  return (x) => (!bans.isAddressBanned(x.clientAddress) ? GO : refuse(x, metrics))
}

export function makeUserBan(bans: Bans, metrics: Metrics): Stage {
  return (x) => (!bans.isUserBanned(x.user) ? GO : refuse(x, metrics))
}

function refuse(x: Exchange, metrics: Metrics): typeof DONE {
  metrics.count('limit_decisions_total', 'banned')
  // By the next request it may know better; another connection is cheaper to refuse than this one to keep.
  if (x.head.protocol !== 'h2') x.peer.closeAfterAnswer()
  x.refuse('banned')
  return DONE
}
