/** Looks into the declaration of the configuration: which schema stands at a path, what it says, which keys it knows. */
import type { z } from 'zod'

export type Schema = z.core.$ZodType
type Definition = z.core.$ZodTypes['_zod']['def']

export const definitionOf = (schema: Schema): Definition => (schema as z.core.$ZodTypes)._zod.def

export const descriptionOf = (schema: Schema): string => {
  const said = (schema as z.ZodType).description
  if (said !== undefined) return said
  const inner = innerOf(schema)
  return inner === null ? '' : descriptionOf(inner)
}

/** What a default, an optional or a transformation wraps, on the side of the file; null where nothing is wrapped. */
export function innerOf(schema: Schema): Schema | null {
  const def = definitionOf(schema)
  if (def.type === 'pipe') return def.in
  if (def.type === 'prefault' || def.type === 'optional' || def.type === 'default') return def.innerType
  return null
}

/** The schema without its wrappings. */
export function coreOf(schema: Schema): Schema {
  const inner = innerOf(schema)
  return inner === null ? schema : coreOf(inner)
}

/** All schemas that a value may have here: one, or the branches of a union. */
export function branchesOf(schema: Schema): Schema[] {
  const core = coreOf(schema)
  const def = definitionOf(core)
  return def.type === 'union' ? def.options.flatMap(branchesOf) : [core]
}

/** Schemas of what stands under a key or an index. */
function childrenOf(schema: Schema, segment: string | number): Schema[] {
  return branchesOf(schema).flatMap((branch) => {
    const def = definitionOf(branch)
    if (def.type === 'array') return [def.element]
    if (def.type === 'record') return [def.valueType]
    if (def.type !== 'object') return []
    const named = Object.hasOwn(def.shape, segment) ? def.shape[segment] : catchallOf(branch)
    return named === undefined || named === null ? [] : [named]
  })
}

/** The schema of keys that an object does not name; null where it refuses them. */
export function catchallOf(object: Schema): Schema | null {
  const def = definitionOf(object)
  if (def.type !== 'object' || def.catchall === undefined) return null
  return definitionOf(def.catchall).type === 'never' ? null : def.catchall
}

/** Schemas at a path; several under a union, none where the declaration knows no such place. */
export function schemasAt(root: Schema, path: readonly PropertyKey[]): Schema[] {
  let here: Schema[] = [root]
  for (const segment of path) {
    if (typeof segment === 'symbol') return []
    here = here.flatMap((schema) => childrenOf(schema, segment))
  }
  return here
}

/** Keys that an object at this path may have by name. */
export function keysAt(root: Schema, path: readonly PropertyKey[]): string[] {
  const keys = new Set<string>()
  for (const schema of schemasAt(root, path)) {
    for (const branch of branchesOf(schema)) {
      const def = definitionOf(branch)
      if (def.type === 'object') for (const key of Object.keys(def.shape)) keys.add(key)
    }
  }
  keys.delete('$schema')
  return [...keys]
}
