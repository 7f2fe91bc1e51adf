/**
 * The mock upstream, a process of its own: answers every request with prebuilt bytes, as cheaply as Bun can.
 *
 * Owns its sockets. It looks at a request's first line and length, skips the body uncopied, and never parses JSON. It prints
 * `{"port":n}` when it listens, and ends when its standard input does.
 */

import type { Socket } from 'bun'
import { burstReply, type Mode, modes, streamEnd, streamFrame, streamStart, wholeReply } from './replies.ts'

interface Peer {
  /** Body bytes still to come; -1 = a chunked body. */
  left: number
  mode: Mode
  /** The start of a head that came in several packets. */
  head: Buffer | undefined
  /** Frames still to be sent; 0 = none. */
  frames: number
}

/** Frames of a `paced` and of a `slow` stream: enough that none ends by itself while it is measured. */
const framesOf = { paced: 50 * 30, slow: 60 } as const
/** Streams are spread over these groups, so that not all frames fall into one millisecond. */
const groups = 4
const paced: Set<Socket<Peer>>[] = Array.from({ length: groups }, () => new Set())
const slow: Set<Socket<Peer>>[] = Array.from({ length: 100 }, () => new Set())
let turn = 0

const server = Bun.listen<Peer>({
  hostname: '127.0.0.1',
  port: 0,
  socket: {
    open(socket) {
      socket.data = { left: 0, mode: 'whole', head: undefined, frames: 0 }
    },
    data(socket, packet) {
      const peer = socket.data
      let at = 0
      if (peer.left === -1) {
        if (!packet.subarray(-5).equals(chunkedEnd)) return
        peer.left = 0
        return answer(socket, peer)
      }
      while (at < packet.length) {
        if (peer.left > 0) {
          const taken = Math.min(peer.left, packet.length - at)
          peer.left -= taken
          at += taken
        } else {
          const bytes = peer.head ? Buffer.concat([peer.head, packet]) : packet
          const end = bytes.indexOf('\r\n\r\n', at)
          if (end < 0) {
            peer.head = Buffer.from(bytes.subarray(at))
            return
          }
          readHead(peer, bytes.toString('latin1', at, end))
          peer.head = undefined
          packet = bytes
          at = end + 4
          if (peer.left === -1) {
            if (!packet.subarray(-5).equals(chunkedEnd)) return
            peer.left = 0
            at = packet.length
          }
        }
        if (peer.left === 0) answer(socket, peer)
      }
    },
    close: forget,
    error: forget,
  },
})

const chunkedEnd = Buffer.from('0\r\n\r\n')

function readHead(peer: Peer, head: string): void {
  const segment = head.slice(head.indexOf(' /') + 2, head.indexOf(' /') + 7)
  peer.mode = modes.find((mode) => segment.startsWith(mode)) ?? 'whole'
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)
  peer.left = length ? Number(length[1]) : /\r\ntransfer-encoding: *chunked/i.test(head) ? -1 : 0
}

function answer(socket: Socket<Peer>, peer: Peer): void {
  if (peer.mode === 'whole') socket.write(wholeReply)
  else if (peer.mode === 'burst') socket.write(burstReply)
  else {
    const ring = peer.mode === 'paced' ? paced : slow
    peer.frames = framesOf[peer.mode]
    ring[turn++ % ring.length]!.add(socket)
    socket.write(streamStart)
  }
}

/** Sends the next frame of each stream of a group. */
function beat(group: Set<Socket<Peer>>): void {
  for (const socket of group) {
    socket.write(streamFrame)
    if (--socket.data.frames > 0) continue
    group.delete(socket)
    socket.write(streamEnd)
  }
}

function forget(socket: Socket<Peer>): void {
  for (const group of paced) group.delete(socket)
  for (const group of slow) group.delete(socket)
}

let pacedTurn = 0
let slowTurn = 0
setInterval(() => beat(paced[pacedTurn++ % groups]!), 20 / groups)
setInterval(() => beat(slow[slowTurn++ % slow.length]!), 1000 / slow.length)

process.stdin.on('end', () => process.exit(0)).resume()
console.log(JSON.stringify({ port: server.port }))
