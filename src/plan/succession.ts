/** Hands over from the services of one plan to those of the next one. It ends nothing before its time. */
import type { Service } from '../upstream/service.ts'

type Services = ReadonlyMap<string, Service>

/** When every service knows where its names lead, or that nobody says so in time. */
export async function whenNamed(services: Services): Promise<void> {
  await Promise.all([...services.values()].map((service) => service.whenNamed()))
}

/** `retire` is told how to end what is not used any more. */
export function succeed(
  before: Services | undefined,
  next: Services,
  retire: (end: () => Promise<void>) => void,
): void {
  for (const [name, service] of before ?? []) {
    if (next.get(name) === service) continue
    service.unwatch()
    retire(() => service.close())
  }
  for (const service of next.values()) service.watch()
}
