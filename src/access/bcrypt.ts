/**
 * Checks a password against a bcrypt hash of an older file, in a thread of its own: the computation is JavaScript, and would
 * hold up the event loop. Only door to bcryptjs. It makes no hash.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { compareSync } from 'bcryptjs'

/** bcrypt looks at no more: what is longer would match by its beginning. */
const MOST_BYTES = 72
const MARK = 'portcullis-bcrypt'

interface Task {
  readonly mark: typeof MARK
  readonly hash: string
  readonly password: string
}

/** False for a password that bcrypt would cut. Rejects where the thread cannot run. */
export function verifyBcrypt(hash: string, password: Buffer): Promise<boolean> {
  if (password.length > MOST_BYTES || password.includes(0)) return Promise.resolve(false)
  const { promise, resolve, reject } = Promise.withResolvers<boolean>()
  const task: Task = { mark: MARK, hash, password: password.toString() }
  const worker = new Worker(new URL(import.meta.url), { workerData: task, env: {}, execArgv: [] })
  worker.once('message', (isRight) => resolve(isRight === true))
  worker.once('error', reject)
  worker.once('exit', () => reject(new Error('the bcrypt thread ended without an answer')))
  return promise
}

const task = workerData as Task | null
if (!isMainThread && task?.mark === MARK) parentPort?.postMessage(compareSync(task.password, task.hash))
