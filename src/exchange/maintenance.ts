/**
 * Which routes are under maintenance: what the configuration says, until somebody switches it at run time. What was switched stays
 * so over reloads and ends with the process. It knows no request.
 */

export interface MaintenanceView {
  readonly route: string
  readonly isOn: boolean
  /** Switched at run time, not by the configuration. */
  readonly isSwitched: boolean
}

/** Stands for all public routes. */
const ALL = ''

export class Maintenance {
  readonly #switched = new Map<string, boolean>()
  #configured: ReadonlyMap<string, boolean> = new Map()

  /** With the plan: whether all are closed, and which of the routes. */
  configure(all: boolean, routes: ReadonlyMap<string, boolean>): void {
    this.#configured = new Map([...routes, [ALL, all]])
    for (const name of this.#switched.keys()) if (!this.#configured.has(name)) this.#switched.delete(name)
  }

  isClosed(route: string): boolean {
    return this.#isOn(ALL) || this.#isOn(route)
  }

  /** `route` '' is all of them. False where there is no such route. */
  switch(route: string, isOn: boolean): boolean {
    if (!this.#configured.has(route)) return false
    this.#switched.set(route, isOn)
    return true
  }

  /** All routes together first, then those that are closed or were switched. */
  get view(): readonly MaintenanceView[] {
    const names = [...this.#configured.keys()].filter((name) => name !== ALL)
    const shown = names.filter((name) => this.#isOn(name) || this.#switched.has(name)).sort()
    return [ALL, ...shown].map((route) => ({
      route,
      isOn: this.#isOn(route),
      isSwitched: this.#switched.has(route),
    }))
  }

  #isOn(name: string): boolean {
    return this.#switched.get(name) ?? this.#configured.get(name) ?? false
  }
}
