/**
 * A small DNS server of our own over UDP (RFC 1035, 2782), for tests only: A, AAAA and SRV with the time to live that the test
 * says; it refuses, is silent, or forges on request. It knows no other names and asks nobody.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'

interface AddressRecord {
  readonly type: 'A' | 'AAAA'
  readonly address: string
  readonly ttl: number
}

interface ServiceRecord {
  readonly type: 'SRV'
  readonly host: string
  readonly port: number
  readonly weight: number
  readonly priority: number
  readonly ttl: number
}

export type DnsRecord = AddressRecord | ServiceRecord

/** What becomes of a question: records, or a response code (2: failure, 5: refused), or nothing at all. */
export type Reply = readonly DnsRecord[] | number | 'silence'

const TYPES = { A: 1, AAAA: 28, SRV: 33 } as const
const NAME_ERROR = 3

export interface DnsServer {
  /** `127.0.0.1:port` */
  readonly address: string
  /** Questions that came: type and name. */
  readonly asked: string[]
  /** From now on; by `TYPE name` or `name`. Names that nobody set do not exist. */
  set(question: string, reply: Reply): void
  close(): Promise<void>
}

export async function startDnsServer(): Promise<DnsServer> {
  const socket = createSocket('udp4')
  await new Promise<void>((done) => socket.bind(0, '127.0.0.1', done))
  const asked: string[] = []
  const replies = new Map<string, Reply>()
  socket.on('message', (message, from) => answer(socket, message, from, asked, replies))
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    set: (question, reply) => void replies.set(question, reply),
    close: () => new Promise((done) => socket.close(() => done())),
  }
}

function answer(
  socket: Socket,
  message: Buffer,
  from: RemoteInfo,
  asked: string[],
  replies: ReadonlyMap<string, Reply>,
): void {
  const labels: string[] = []
  let at = 12
  for (let length = message[at]!; length > 0; length = message[at]!) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length))
    at += length + 1
  }
  const type = message.readUInt16BE(at + 1)
  const question = message.subarray(12, at + 5)
  const name = labels.join('.').toLowerCase()
  const typeName = Object.entries(TYPES).find(([, number]) => number === type)?.[0] ?? String(type)
  asked.push(`${typeName} ${name}`)
  const reply = replies.get(`${typeName} ${name}`) ?? replies.get(name) ?? NAME_ERROR
  if (reply === 'silence') return
  const records = typeof reply === 'number' ? [] : reply.filter((each) => each.type === typeName)
  const head = Buffer.alloc(12)
  message.copy(head, 0, 0, 2)
  // An answer, by one that has authority and recurses.
  head.writeUInt16BE(0x8580 | (typeof reply === 'number' ? reply : 0), 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(records.length, 6)
  socket.send(Buffer.concat([head, question, ...records.map(written)]), from.port, from.address)
}

/** The name is that of the question. */
function written(record: DnsRecord): Buffer {
  const data = dataOf(record)
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(TYPES[record.type], 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(record.ttl, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

function dataOf(record: DnsRecord): Buffer {
  if (record.type !== 'SRV') {
    const { type, address } = record
    return type === 'A' ? Buffer.from(address.split('.').map(Number)) : addressBytes(address)
  }
  const numbers = Buffer.alloc(6)
  numbers.writeUInt16BE(record.priority, 0)
  numbers.writeUInt16BE(record.weight, 2)
  numbers.writeUInt16BE(record.port, 4)
  const labels = record.host.split('.').filter((label) => label !== '')
  const name = labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')])
  return Buffer.concat([numbers, ...name, Buffer.from([0])])
}

function addressBytes(text: string): Buffer {
  const [left = '', right] = text.split('::')
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
  const start = groups(left)
  const end = right === undefined ? [] : groups(right)
  const bytes = Buffer.alloc(16)
  const all = [...start, ...new Array<number>(8 - start.length - end.length).fill(0), ...end]
  for (const [i, group] of all.entries()) bytes.writeUInt16BE(group, i * 2)
  return bytes
}
