/** Reads a new password: without echo from a terminal, or one line from a pipe. It judges no password and keeps none. */
import type { Readable, Writable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'

/** Bytes. Far over what a password may have, so that the rules can refuse it by name. */
const MAX_LINE = 8192

/** The part of a terminal that is needed; `process.stdin` is one. */
export interface PasswordInput extends Readable {
  isTTY?: boolean
  setRawMode?(on: boolean): unknown
}

/** The password, or a sentence in `problem`. */
export type PasswordResult = { readonly password: string } | { readonly problem: string }

export async function readNewPassword(input: PasswordInput, prompt: Writable): Promise<PasswordResult> {
  if (input.isTTY !== true || input.setRawMode === undefined) return readLine(input)
  const first = await ask('New password: ', input, prompt)
  if ('problem' in first) return first
  const again = await ask('Again: ', input, prompt)
  if ('problem' in again) return again
  return first.password === again.password ? first : { problem: 'the two passwords differ' }
}

async function readLine(input: PasswordInput): Promise<PasswordResult> {
  const chunks: Buffer[] = []
  let total = 0
  for await (const chunk of input) {
    const bytes = Buffer.from(chunk)
    chunks.push(bytes)
    total += bytes.length
    if (total > MAX_LINE) return { problem: 'the input is too long for a password' }
  }
  const text = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '')
  if (text === '') return { problem: 'standard input holds no password' }
  return /[\r\n]/.test(text) ? { problem: 'standard input holds more than one line' } : { password: text }
}

/** Raw mode shows nothing; its keys have to be understood one by one. */
function ask(question: string, input: PasswordInput, prompt: Writable): Promise<PasswordResult> {
  return new Promise((resolve) => {
    const decoder = new StringDecoder('utf8')
    let typed = ''
    const end = (result: PasswordResult): void => {
      input.off('data', onData)
      input.off('end', onEnd)
      input.setRawMode?.(false)
      input.pause()
      prompt.write('\n')
      resolve(result)
    }
    const onEnd = (): void => end({ problem: 'no password was typed' })
    const onData = (chunk: Buffer): void => {
      for (const key of decoder.write(chunk)) {
        if (key === '\r' || key === '\n') return end({ password: typed })
        if (key === '\x03') return end({ problem: 'interrupted' })
        if (key === '\x04') return end({ problem: 'no password was typed' })
        if (key === '\x15') typed = ''
        else if (key === '\x7f' || key === '\b') typed = [...typed].slice(0, -1).join('')
        else typed += key
        if (typed.length > MAX_LINE) return end({ problem: 'the input is too long for a password' })
      }
    }
    prompt.write(question)
    input.setRawMode?.(true)
    input.on('data', onData)
    input.on('end', onEnd)
    input.resume()
  })
}
