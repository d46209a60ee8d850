/** Hashes that are the same on every gateway and in every release: they place, and keep no secret. */

/** 32 bits of a text (FNV-1a, finished as MurmurHash3 does). */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return scramble(hash)
}

/** 32 bits in which every bit depends on every bit that came in: the finaliser of MurmurHash3. */
export function scramble(bits: number): number {
  let hash = bits ^ (bits >>> 16)
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
