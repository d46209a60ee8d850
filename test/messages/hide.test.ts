/** Hidden fields, in documents and in packets of a service. */
import { createHmac } from 'node:crypto'
import t from 'tap'
import { compileHiders, type Hider, type HideWish } from '../../src/messages/hide.ts'
import { answerCleaners } from '../../src/messages/shown.ts'
import { showPacket, showPayload, showPayload3, showScript3 } from '../../src/messages/shown-packets.ts'

const PATHS = ['$..customer.phone', '$.ids[*]', '$.customer.phone']
const key = 'k'.repeat(32)
const wish = (fields: readonly string[], mode: HideWish['mode'], exceptRoles: readonly string[] = []): HideWish => ({
  fields,
  mode,
  key: mode === 'hash' ? key : null,
  exceptRoles,
})
const hiderOf = (...wishes: HideWish[]): Hider => compileHiders(wishes)([])!
const mask = hiderOf(wish(PATHS, 'mask'))
const drop = hiderOf(wish(PATHS, 'drop'))
const hash = hiderOf(wish(PATHS, 'hash'))
const keyed = (text: string) => createHmac('sha256', key).update(text).digest('base64url').slice(0, 22)
const shownBy = (hider: Hider) => answerCleaners(null, () => hider)([])!
const textOf = (cleaned: { outcome: string; text: string }) => (cleaned.outcome === 'refused' ? null : cleaned.text)
const hidePacket = (hider: Hider, packet: string) => textOf(showPacket(shownBy(hider), packet))
const hidePayload = (hider: Hider, payload: string) => textOf(showPayload(shownBy(hider), payload))
const hidePayload3 = (hider: Hider, payload: string) => textOf(showPayload3(shownBy(hider), payload))

t.test('texts and numbers, wherever the paths lead, and once', async (t) => {
  const json =
    '{"customer":{"phone":"+49 170 1234567","Phone":4917012345678901234,"x":1},"ids":["a",12,true,null],"phone":"0"}'
  t.equal(
    mask.document(json).text,
    '{"customer":{"phone":"*************67","Phone":"*****************34","x":1},"ids":["*","**",true,null],"phone":"0"}',
  )
  t.equal(
    hash.document(json).text,
    `{"customer":{"phone":"${keyed('+49 170 1234567')}","Phone":"${keyed('4917012345678901234')}","x":1},"ids":["${keyed('a')}","${keyed('12')}",true,null],"phone":"0"}`,
  )
  t.equal(drop.document(json).text, '{"customer":{"x":1},"ids":[null,null,null,null],"phone":"0"}')
  t.equal(
    mask.document('{"a":[{"customer":{"phone":{"home":"12345678","all":["x"]}}}]}').text,
    '{"a":[{"customer":{"phone":{"home":"******78","all":["*"]}}}]}',
  )
  t.equal(drop.document('{"customer":{"phone":{"home":"1"}}}').text, '{"customer":{}}')
  const same = '{ "id": 12345678901234567890 }'
  t.same(mask.document(same), { outcome: 'same', text: same })
})

t.test('what cannot be read is refused', async (t) => {
  for (const json of [
    '',
    'x',
    '{"customer":{"phone":"1","phone":"2"}}',
    `${'['.repeat(40)}${']'.repeat(40)}`,
    '{"__proto__":1}',
  ])
    t.equal(mask.document(json).outcome, 'refused', json)
})

const customer = '{"customer":{"phone":"+491701234567"}}'
const hidden = '{"customer":{"phone":"***********67"}}'

t.test('packets of a service', async (t) => {
  t.equal(hidePacket(mask, `42["message",${customer},"x"]`), `42["message",${hidden},"x"]`)
  t.equal(hidePacket(mask, `42/agents,7["message",[${customer}]]`), `42/agents,7["message",[${hidden}]]`)
  t.equal(hidePacket(mask, `43/agents,7[${customer}]`), `43/agents,7[${hidden}]`)
  t.equal(hidePacket(mask, `44${customer}`), `44${hidden}`)
  t.equal(hidePacket(hash, `42["m",${customer}]`), `42["m",{"customer":{"phone":"${keyed('+491701234567')}"}}]`)
  for (const packet of [
    '2',
    '3',
    '3probe',
    '6',
    '1',
    '0{"sid":"x","upgrades":[]}',
    '40{"sid":"x"}',
    '41',
    '40/agents,',
    '44"no"',
    '42["m",1]',
  ])
    t.equal(hidePacket(mask, packet), packet)
  for (const packet of [
    '',
    '2x',
    '0x',
    '4',
    '42["m"',
    '451-["m",{"_placeholder":true,"num":0}]',
    'bAAAA',
    'b4AAAA',
    '42["m",{"a":1,"a":2}]',
    '<b>',
  ])
    t.equal(hidePacket(mask, packet), null, packet)
})

t.test('answers to polls', async (t) => {
  const event = `42["m",${customer}]`
  const shown = `42["m",${hidden}]`
  t.equal(hidePayload(mask, `2\x1e${event}\x1ebAAAA`), `2\x1e${shown}`)
  t.equal(hidePayload(mask, 'bAAAA'), '6')
  t.equal(hidePayload3(mask, `1:2${event.length}:${event}`), `1:2${shown.length}:${shown}`)
  t.equal(hidePayload3(mask, '5:bAAAA'), '1:6')
  for (const broken of ['x', '9:2', '1:2x', '01:2']) t.equal(hidePayload3(mask, broken), null, broken)
})

t.test('a path to one argument', async (t) => {
  const first = hiderOf(wish(['$[0]', '$.phone'], 'mask'))
  t.equal(hidePacket(first, '42["phone","+491701234567",{"phone":"x"}]'), '42["phone","***********67",{"phone":"*"}]')
})

t.test('a script for an old browser', async (t) => {
  const event = `42["m",${customer},"\u2028"]`
  const script = (payload: string) => `___eio[3](${JSON.stringify(payload).replaceAll('\u2028', '\\u2028')});`
  const shown = `42["m",${hidden},"\u2028"]`
  const run = (text: string) => textOf(showScript3(shownBy(mask), text))
  t.equal(run(script(`${event.length}:${event}`)), script(`${shown.length}:${shown}`))
  t.equal(run(script('1:2')), script('1:2'))
  for (const other of ['alert("1:2");', '___eio[0]("1:2");x("");', '___eio[0](1);', '___eio[0]("9:2");', '1:2'])
    t.equal(run(other), null, other)
})

t.test('roles: hidden from everyone that a wish does not name', async (t) => {
  const hiders = compileHiders([
    wish(['$.phone'], 'mask', ['supervisor', 'auditor']),
    wish(['$.card', '$.phone'], 'drop', ['auditor']),
    wish(['$.name', '$.card'], 'hash'),
  ])
  const json = '{"phone":"12345678","card":"x","name":"Ada"}'
  const see = (...roles: string[]) => hiders(roles)!.document(json).text
  t.equal(see(), `{"name":"${keyed('Ada')}"}`, 'left out is stronger than masked')
  t.equal(see('agent'), see())
  t.equal(see('supervisor'), see(), 'another wish still leaves it out')
  t.equal(see('agent', 'auditor'), `{"phone":"12345678","card":"${keyed('x')}","name":"${keyed('Ada')}"}`)
  t.equal(see('Auditor'), see(), 'roles are compared exactly')
  t.equal(hiders([]), hiders(['agent']), 'one hider for the same wishes')
  const all = compileHiders([wish(['$.a'], 'mask', ['all'])])
  t.equal(all(['all']), null)
  t.not(all([]), null)
})
