/** Contrast of the text that a page shows, after WCAG 2.2 (1.4.3). It runs inside the page and knows no design. */
import type { Page } from 'playwright-core'

interface Styled {
  readonly color: string
  readonly backgroundColor: string
  readonly fontSize: string
  readonly fontWeight: string
}
interface Element {
  readonly parentElement: Element | null
  readonly textContent: string
  readonly childNodes: Iterable<{ nodeType: number; textContent: string }>
  readonly tagName: string
  readonly className: string
  checkVisibility(): boolean
}
declare const document: { querySelectorAll(selector: string): Iterable<Element> }
declare function getComputedStyle(element: Element): Styled

export interface Contrast {
  readonly what: string
  readonly ratio: number
}

/** Every visible element with text of its own, with the ratio of its colour to what is behind it. */
export function readContrasts(page: Page): Promise<Contrast[]> {
  return page.evaluate(() => {
    const numbers = (color: string) => (color.match(/[\d.]+/g) ?? []).map(Number)
    const luminance = (color: string) => {
      const [red = 0, green = 0, blue = 0] = numbers(color).map((value) => {
        const part = value / 255
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
      })
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
    const groundOf = (element: Element | null): string => {
      for (let each = element; each !== null; each = each.parentElement) {
        const color = getComputedStyle(each).backgroundColor
        if ((numbers(color)[3] ?? 1) === 1) return color
      }
      return 'rgb(255, 255, 255)'
    }
    const found = []
    for (const element of document.querySelectorAll('body *')) {
      const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '')
      if (!own || !element.checkVisibility()) continue
      const [one, two] = [luminance(getComputedStyle(element).color), luminance(groundOf(element))]
      const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05)
      found.push({ what: `${element.tagName}.${element.className} "${element.textContent.slice(0, 30)}"`, ratio })
    }
    return found
  })
}
