/** The open WebSockets of this process, so that a drain can close them with a reason. Knows no frame. */
import type { Peer } from './connection.ts'

export interface OpenTunnel {
  /** The client's connection. */
  readonly peer: Peer
  readonly clientAddress: string
  /** '' where nobody signed in. */
  readonly user: string
  /** Close frame to both sides (RFC 6455, 7.4.1), then the end. Nothing happens where that is under way. */
  close(code: number, reason: string): void
}

const open = new Set<OpenTunnel>()

export function addTunnel(tunnel: OpenTunnel): void {
  open.add(tunnel)
}

export function removeTunnel(tunnel: OpenTunnel): void {
  open.delete(tunnel)
}

export function tunnelCount(): number {
  return open.size
}

/**
 * Closes all that are meant with 1001 (going away), spread evenly over `windowMs` milliseconds so that clients do not all
 * return at once.
 */
export async function closeTunnels(
  windowMs: number,
  isMeant: (tunnel: OpenTunnel) => boolean = () => true,
): Promise<void> {
  const all = [...open].filter(isMeant)
  const stepMs = 50
  const perStep = Math.max(1, Math.ceil(all.length / Math.max(1, Math.floor(windowMs / stepMs))))
  for (let i = 0; i < all.length; i += perStep) {
    for (const tunnel of all.slice(i, i + perStep)) if (open.has(tunnel)) tunnel.close(1001, 'going away')
    if (i + perStep < all.length) await new Promise((resolve) => setTimeout(resolve, stepMs))
  }
}

/** Closes all that are meant at once. */
export function endTunnels(code: number, reason: string, isMeant: (tunnel: OpenTunnel) => boolean): void {
  for (const tunnel of [...open]) if (isMeant(tunnel)) tunnel.close(code, reason)
}
