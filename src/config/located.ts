/** Gives mistakes that show only after the file was read, a port that is taken for one, the place of their setting. */
import { ConfigurationError } from '../errors.ts'
import type { SettingPath } from './document.ts'
import type { ConfigurationSource } from './load.ts'

const SETTING = /^((?:listeners|keys|services|routes|messages|limits|log|drain)(?:\.[\w-]+|\[\d+\])*): /

/** `listeners.public.address: is taken` becomes `gateway.json:4:16 listeners.public.address: is taken`. Others stay. */
export function located(error: unknown, source: ConfigurationSource): unknown {
  if (!(error instanceof ConfigurationError)) return error
  return new ConfigurationError(
    error.problems.map((problem) => {
      const setting = SETTING.exec(problem)?.[1]
      return setting === undefined ? problem : source.locate(pathOf(setting)) + problem.slice(setting.length)
    }),
  )
}

/** `a.b[0].c` in its parts. */
function pathOf(setting: string): SettingPath {
  return [...setting.matchAll(/([\w-]+)|\[(\d+)\]/g)].map(([, name, index]) => name ?? Number(index))
}
