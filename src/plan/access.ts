/** Builds what stands at the door of the transcripts: accounts, lockout, sign-in, and the pages of an account. */
import { AccountStore } from '../access/accounts.ts'
import { Authenticator } from '../access/authenticator.ts'
import { CodeCheck } from '../access/codes.ts'
import { Desk } from '../access/desk.ts'
import { makeLockout } from '../access/lockout.ts'
import { passwordRules } from '../access/password-rules.ts'
import { Sessions } from '../access/sessions.ts'
import { makeSignIn } from '../access/sign-in.ts'
import { Upgrader } from '../access/upgrader.ts'
import { Verifier } from '../access/verifier.ts'
import type { SignInConfig } from '../config/shape.ts'
import type { Responder, Stage } from '../exchange/contracts.ts'
import { makeAccountPages, offerAccountPage } from '../responders/account-pages.ts'
import type { Standing } from './standing.ts'

const PLACE = 'transcripts'

export interface Door {
  readonly signIn: Stage
  /** Answers below `/.account/`. */
  readonly pages: Responder
}

/** Throws a ConfigurationError where the accounts are not usable. */
export function makeDoor(config: SignInConfig, standing: Standing): Door {
  const { store, log, metrics } = standing
  const { audit, gateway } = log
  const path = config.accounts
  const accounts = new AccountStore(path, {
    onChanged: () => gateway.info('Accounts were read again', { file: path }),
    onBroken: (problems) => gateway.error('The accounts file is broken: the accounts before stay', { problems }),
  })
  const cost = config.hashing
  const rules = passwordRules(config.passwords)
  const { maxConcurrent, maxWaiting, maxWait } = config
  const verifier = new Verifier({ maxConcurrent, maxWaiting, maxWaitMs: maxWait })
  const key = (): Buffer => accounts.key
  const authenticator = new Authenticator({
    accounts,
    verifier,
    lockout: makeLockout({
      store,
      key,
      lockAfter: config.lockAfter,
      lockForMs: config.lockFor,
      knownForMs: config.knownFor,
    }),
    codes: new CodeCheck(accounts, store),
    upgrader: new Upgrader(accounts, cost, (problems) => {
      gateway.warn('The accounts file cannot be written: older hashes stay, passwords cannot be changed here', {
        problems,
      })
    }),
    rules,
    audit,
    metrics,
    place: PLACE,
  })
  const sessions = new Sessions({ store, key, lifetimeMs: config.session.lifetime, idleMs: config.session.idle })
  const desk = new Desk({ accounts, authenticator, sessions, verifier, rules, cost, audit, metrics, place: PLACE })
  const signIn = makeSignIn({
    accounts,
    authenticator,
    sessions,
    metrics,
    defaultRoles: config.defaultRoles,
    realm: PLACE,
    offerForm: offerAccountPage,
  })
  return { signIn, pages: makeAccountPages(desk) }
}
