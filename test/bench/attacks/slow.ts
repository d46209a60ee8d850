/**
 * Slow attacks: connections that hold on to something and give as little as they can for it. Each is told which socket to
 * open and what to send every second; none knows the gateway's deadlines.
 */
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'

/** Holds one connection. `onOpen` is called when it has begun to hold. */
export type SlowAttack = (port: number, from: string, onOpen: () => void) => Socket

const HOST = 'host: localhost\r\n'
/** The head of a TLS record that promises a ClientHello of 512 bytes. */
const HELLO = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03])
const DRIP_MS = 1000

function everySecond(socket: Socket, act: () => void): void {
  const timer = setInterval(act, DRIP_MS)
  socket.once('close', () => clearInterval(timer))
}

function secure(port: number, from: string, onSecure: (socket: TLSSocket) => void): Socket {
  const socket = connectTls({
    ...{ host: '127.0.0.1', port, localAddress: from, servername: 'localhost', rejectUnauthorized: false },
    ALPNProtocols: ['http/1.1'],
    // The cheap key exchange: what the attacker pays is not what is measured.
    ecdhCurve: 'X25519',
  })
  socket.once('secureConnect', () => onSecure(socket))
  return socket
}

export const SLOW_ATTACKS: Readonly<Record<string, SlowAttack>> = {
  'slow handshake': (port, from, onOpen) => {
    const socket = connect({ host: '127.0.0.1', port, localAddress: from })
    socket.once('connect', () => {
      socket.write(HELLO)
      onOpen()
      everySecond(socket, () => socket.write('\0'))
    })
    return socket
  },
  'slow headers': (port, from, onOpen) =>
    secure(port, from, (socket) => {
      socket.write(`GET / HTTP/1.1\r\n${HOST}`)
      onOpen()
      everySecond(socket, () => socket.write('x-a: b\r\n'))
    }),
  'slow body': (port, from, onOpen) =>
    secure(port, from, (socket) => {
      socket.write(`POST /upload HTTP/1.1\r\n${HOST}content-length: 60000\r\n\r\n`)
      onOpen()
      everySecond(socket, () => socket.write('x'))
    }),
  'slow read': (port, from, onOpen) =>
    secure(port, from, (socket) => {
      socket.pause()
      socket.write(`GET /large HTTP/1.1\r\n${HOST}\r\n`)
      onOpen()
    }),
  idle: (port, from, onOpen) =>
    secure(port, from, (socket) => {
      socket.write(`GET / HTTP/1.1\r\n${HOST}\r\n`)
      socket.once('data', onOpen)
    }),
}
