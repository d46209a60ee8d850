/** Who is looked at how often: newcomers soon and often, the others now and then, those who left not at all. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type Glanced, joinGlance, leaveGlance } from '../../src/exchange/glance.ts'

class Member implements Glanced {
  looks = 0
  readonly #leaves: boolean

  constructor(leaves = false) {
    this.#leaves = leaves
  }

  onGlance(): void {
    this.looks++
    if (this.#leaves) leaveGlance(this)
  }
}

t.test('a newcomer is looked at after the turn in which it came, and after the next ones', async (t) => {
  const member = new Member()
  joinGlance(member)
  for (let turn = 1; turn <= 3; turn++) {
    await nextTurn()
    t.ok(member.looks >= turn, `turn ${turn}: ${member.looks}`)
  }
  leaveGlance(member)
})

t.test('it is looked at as long as it is there, and then no more', async (t) => {
  const member = new Member()
  joinGlance(member)
  await sleep(400)
  const { looks } = member
  // The process has other work too: of a hundred in the first quarter of a second some come late.
  t.ok(looks > 10, `${looks} looks`)
  while (member.looks === looks) await sleep(5)
  leaveGlance(member)
  const last = member.looks
  await sleep(100)
  t.equal(member.looks, last)
})

t.test('who leaves when it is looked at takes nobody along', async (t) => {
  const members = [new Member(true), new Member(), new Member(true), new Member()]
  for (const member of members) joinGlance(member)
  while (members[3]!.looks < 3) await nextTurn()
  t.same([members[0]!.looks, members[2]!.looks], [1, 1])
  t.ok(members[1]!.looks >= 3)
  for (const member of members) leaveGlance(member)
})

t.test('a crowd is looked at in parts, and all of it in time', async (t) => {
  const members = Array.from({ length: 1000 }, () => new Member())
  for (const member of members) joinGlance(member)
  while (members.some(({ looks }) => looks === 0)) await sleep(5)
  for (const member of members) leaveGlance(member)
  t.pass('each had its turn')
})
