/** What a gateway counts, read from its admin listener. */

/** Values by the whole name with its labels, without the prefix: `limit_store_total{event="outage"}`; 0 for what was never counted. */
export async function readMetrics(adminPort: number): Promise<(name: string) => number> {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text()
  const values = new Map<string, number>()
  for (const line of text.split('\n')) {
    const found = /^portcullis_(\S+) (\S+)$/.exec(line)
    if (found !== null) values.set(found[1]!, Number(found[2]))
  }
  return (name) => values.get(name) ?? 0
}
