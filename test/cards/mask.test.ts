import t from 'tap'
import { maskCardData } from '../../src/cards/mask.ts'
import { POSITIVES, readPositive } from './card-positives.ts'

const nobody = (): void => {}
const mask = (text: string): string => maskCardData(text, 'last4', nobody)

t.test('no card is missed', (t) => {
  t.ok(POSITIVES.length >= 300, `${POSITIVES.length} texts`)
  for (const row of POSITIVES) {
    const { text, masked } = readPositive(row)
    t.equal(mask(text), masked, JSON.stringify(row))
  }
  t.end()
})
