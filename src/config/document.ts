/**
 * A JSON text with comments as a value that knows where each of its parts stands. It finds what is wrong with the text
 * itself (syntax, a key given twice, depth); what the settings mean is not known here.
 */
import jsonc, { type Node, type ParseError } from 'jsonc-parser'
import { HARMLESS, STARTS_VALUE, syntaxSentence } from './syntax-sentences.ts'

export type SettingPath = readonly (string | number)[]

/** One mistake, or one warning, and where it stands. */
export interface Problem {
  /** UTF-16 code units from the start of the text. */
  readonly offset: number
  readonly path: SettingPath
  readonly sentence: string
  /** `missing` and `reference` are about what stands elsewhere, so a text that cannot be read whole may be innocent. */
  readonly kind: 'syntax' | 'value' | 'missing' | 'reference'
}

/** Levels of nesting; the deepest setting needs ten. The parser recurses. */
const MAX_DEPTH = 32

export class ConfigDocument {
  readonly text: string
  /** Objects without prototype, arrays, texts, numbers, booleans, null; undefined where nothing could be read. */
  readonly value: unknown
  readonly problems: Problem[] = []
  /** Offset of the first place after which the reader is lost; Infinity in a text that can be read whole. */
  readonly lostAt: number
  readonly #root: Node | undefined
  readonly #lines: number[]
  readonly #members = new Map<Node, Map<string, Node>>()

  constructor(text: string) {
    this.text = text
    this.#lines = lineStarts(text)
    const deep = findDeepNesting(text)
    if (deep >= 0) {
      this.#add(deep, `nests deeper than ${MAX_DEPTH} levels`)
      this.#root = undefined
      this.value = undefined
      this.lostAt = 0
      return
    }
    const errors: ParseError[] = []
    this.#root = jsonc.parseTree(text, errors, { allowTrailingComma: true })
    this.lostAt = this.#readErrors(errors)
    this.value = this.#root === undefined ? undefined : this.#valueOf(this.#root, [])
  }

  /** `23:40`: line and column, both from 1. */
  position(offset: number): string {
    let low = 0
    let high = this.#lines.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#lines[middle]! <= offset) low = middle
      else high = middle - 1
    }
    return `${low + 1}:${offset - this.#lines[low]! + 1}`
  }

  has(path: SettingPath): boolean {
    return this.#find(path)?.length === path.length
  }

  /** The value at a path; undefined where there is none. */
  valueAt(path: SettingPath): unknown {
    let value = this.value
    for (const segment of path) {
      if (typeof value !== 'object' || value === null) return undefined
      value = (value as Record<string | number, unknown>)[segment]
    }
    return value
  }

  /** Offset of the value, or of the innermost thing around it that exists. */
  offsetOf(path: SettingPath): number {
    const found = this.#find(path)
    return found?.node.offset ?? 0
  }

  /** Offset of the key that names the value. */
  keyOffsetOf(path: SettingPath): number {
    const node = this.#find(path)?.node
    return node?.parent?.type === 'property' ? node.parent.offset : this.offsetOf(path)
  }

  /** Offset behind the innermost thing that exists on the path. */
  endOf(path: SettingPath): number {
    const node = this.#find(path)?.node
    return node === undefined ? 0 : node.offset + node.length
  }

  #find(path: SettingPath): { node: Node; length: number } | null {
    if (this.#root === undefined) return null
    let node = this.#root
    let length = 0
    for (const segment of path) {
      const next = typeof segment === 'number' ? node.children?.[segment] : this.#membersOf(node).get(segment)
      if (next === undefined || (typeof segment === 'number' && node.type !== 'array')) break
      node = next
      length++
    }
    return { node, length }
  }

  #membersOf(node: Node): Map<string, Node> {
    let members = this.#members.get(node)
    if (members !== undefined) return members
    members = new Map()
    if (node.type === 'object') {
      for (const property of node.children ?? []) {
        const [key, value] = property.children ?? []
        if (key !== undefined && value !== undefined) members.set(String(key.value), value)
      }
    }
    this.#members.set(node, members)
    return members
  }

  #valueOf(node: Node, path: SettingPath): unknown {
    if (node.type === 'array') return (node.children ?? []).map((each, i) => this.#valueOf(each, [...path, i]))
    if (node.type !== 'object') return node.value
    const object: Record<string, unknown> = Object.create(null)
    const seen = new Map<string, number>()
    for (const property of node.children ?? []) {
      const [key, value] = property.children ?? []
      if (key === undefined) continue
      const name = String(key.value)
      const here = [...path, name]
      const first = seen.get(name)
      if (first !== undefined) {
        const at = this.position(first).split(':')[0]
        this.problems.push({
          offset: key.offset,
          path: here,
          sentence: `is given twice; first in line ${at}`,
          kind: 'value',
        })
      } else if (name === '__proto__') {
        this.problems.push({ offset: key.offset, path: here, sentence: 'cannot be used as a name', kind: 'value' })
      }
      seen.set(name, key.offset)
      if (value !== undefined && name !== '__proto__') object[name] = this.#valueOf(value, here)
    }
    return object
  }

  #add(offset: number, sentence: string): void {
    this.problems.push({ offset, path: [], sentence, kind: 'syntax' })
  }

  /** One mistake makes the parser stumble several times: only the first of each line is told, and none once it is lost. */
  #readErrors(errors: readonly ParseError[]): number {
    let lastLine = ''
    for (const { error, offset, length } of errors) {
      const code = jsonc.printParseErrorCode(error)
      const found = this.text.slice(offset, offset + length)
      const lacksComma = code === 'CommaExpected' && STARTS_VALUE.test(found)
      const at = lacksComma ? this.#endBefore(offset) : offset
      const line = this.position(at).split(':')[0]!
      if (line === lastLine) continue
      lastLine = line
      this.#add(at, lacksComma ? 'a comma is missing here' : syntaxSentence(code, found))
      if (!lacksComma && !HARMLESS.has(code)) return at
    }
    return Number.POSITIVE_INFINITY
  }

  /** A comma is missed where the value before it ends, not where the next one starts. */
  #endBefore(offset: number): number {
    const scanner = jsonc.createScanner(this.text, true)
    let end = offset
    while (scanner.scan() !== 17 /* end of file */ && scanner.getTokenOffset() < offset) end = scanner.getPosition()
    return end
  }
}

function lineStarts(text: string): number[] {
  const starts = [0]
  for (const end of text.matchAll(/\r\n|\n|\r/g)) starts.push(end.index + end[0].length)
  return starts
}

/** Offset of the bracket that opens one level too many; -1 where none does. */
function findDeepNesting(text: string): number {
  const scanner = jsonc.createScanner(text, true)
  let depth = 0
  for (let token = scanner.scan(); token !== 17 /* end of file */; token = scanner.scan()) {
    if (token === 1 /* { */ || token === 3 /* [ */) {
      if (++depth > MAX_DEPTH) return scanner.getTokenOffset()
    } else if (token === 2 /* } */ || token === 4 /* ] */) depth--
  }
  return -1
}

/** `routes[0].limits[1]`; keys that are no plain names are quoted. */
export function pathText(path: SettingPath): string {
  let text = ''
  for (const segment of path) {
    if (typeof segment === 'number') text += `[${segment}]`
    else if (/^[A-Za-z_$][\w$-]*$/.test(segment)) text += text === '' ? segment : `.${segment}`
    else text += `[${JSON.stringify(segment.length > 80 ? `${segment.slice(0, 80)}...` : segment)}]`
  }
  return text
}
