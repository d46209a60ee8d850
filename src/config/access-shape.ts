/** The settings of who may sign in. It knows no listener. */
import { z } from 'zod'
import { count, duration, file } from './shape-terms.ts'

export const signIn = z
  .strictObject({
    accounts: file.describe('Accounts file, made by `portcullis hash-password`.'),
    lockAfter: count(4, 'Failed attempts that lock an account.', 1, 100),
    lockFor: duration(
      '30 minutes',
      'How long it stays locked the first time; the next time twice as long, at most an hour.',
    ),
    maxConcurrent: count(2, 'Password checks that run at once.', 1, 64),
    maxWaiting: count(64, 'Password checks that may wait; over it 503.', 1, 10_000),
  })
  .optional()
  .describe('Who may read.')
