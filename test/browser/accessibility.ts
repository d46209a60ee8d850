/** The accessibility checker, for every page that has one. */
import axe from 'axe-core'
import type { Page } from 'playwright-core'
import type { Test } from 'tap'

/** The checker runs beside the page, whose policy lets no script in but its own. */
export async function violations(t: Test, page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const found = (await page.evaluate(
    `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })`,
  )) as { violations: { id: string; nodes: { html: string }[] }[]; passes: unknown[] }
  t.ok(found.passes.length > 10, 'it did look')
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)
}
