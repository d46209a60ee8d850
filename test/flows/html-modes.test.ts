/** Each HTML mode and form from outside: what the service gets by REST and by WebSocket, and what is refused. */
import t from 'tap'
import { requestTransports } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { startUpstream } from '../kit/upstream.ts'

const TEXT =
  'Hi <b>you</b> <i>all</i>, a<R b & <a href="https://example.com/?a=1&b=2" onclick=x>here</a> <script>x</script>'
const LINK = 'href="https://example.com/?a=1&amp;b=2" rel="noopener noreferrer nofollow"'

/** Null: refused. None of the rule sets names a field: every string of a document is cleaned, and plain text whole. */
const MODES: Readonly<Record<string, { rules: object; arrives: string | null }>> = {
  strip: { rules: {}, arrives: 'Hi you all, a&lt;R b & here ' },
  'strip-text': { rules: { output: 'text' }, arrives: 'Hi you all, a< R b & here ' },
  escape: {
    rules: { html: 'escape' },
    arrives: TEXT.replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
  },
  'escape-text': { rules: { html: 'escape', output: 'text' }, arrives: TEXT.replace(/<(?=[a-zA-Z/])/g, '< ') },
  allow: {
    rules: { html: 'allow', allowTags: ['b', 'a'] },
    arrives: `Hi <b>you</b> all, a&lt;R b & <a ${LINK}>here</a> `,
  },
  'allow-text': {
    rules: { html: 'allow', allowTags: ['b'], output: 'text' },
    arrives: 'Hi <b>you</b> all, a< R b & here ',
  },
  reject: { rules: { html: 'reject' }, arrives: null },
}
const HARMLESS = 'I <3 you & 1 < 2 > 0'

const upstream = await startUpstream()
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    routes: Object.keys(MODES).map((name) => ({
      path: `/${name}/*`,
      service: 'chat',
      profiles: ['internet'],
      purpose: 'test',
      methods: ['GET', 'POST'],
      webSocket: true,
      messages: name,
    })),
    messages: Object.fromEntries(Object.entries(MODES).map(([name, { rules }]) => [name, rules])),
  }),
)
const place = { port: gateway.publicPort }
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open(place)
    t.teardown(() => client.close())
    for (const [name, { arrives }] of Object.entries(MODES)) {
      t.test(name, async (t) => {
        for (const [type, write] of [
          ['application/json', (text: string) => JSON.stringify({ text, parts: [text] })],
          ['text/plain', (text: string) => text],
          ['application/x-www-form-urlencoded', (text: string) => `text=${encodeURIComponent(text)}`],
        ] as const) {
          const post = (text: string) =>
            client.ask({ method: 'POST', path: `/${name}/x`, body: write(text), headers: ['content-type', type] })
          const bodyOf = (reply: { json(): unknown }): string => decodeForm((reply.json() as { body: string }).body)
          t.equal(bodyOf(await post(HARMLESS)), decodeForm(write(HARMLESS)))
          const reply = await post(TEXT)
          if (arrives === null) {
            t.equal(reply.status, 422, type)
            continue
          }
          t.equal(bodyOf(reply), decodeForm(write(arrives)), type)
          t.equal(bodyOf(await post(arrives)), decodeForm(write(arrives)), 'a second run changes nothing')
        }
      })
    }
  })
}

/** The same words in whatever way a form writes them. */
function decodeForm(body: string): string {
  return body.startsWith('text=') ? decodeURIComponent(body.replaceAll('+', ' ')) : body
}

for (const transport of socketTransports) {
  t.test(transport.name, async (t) => {
    for (const [name, { arrives }] of Object.entries(MODES)) {
      const socket = await transport.open(place, { path: `/${name}/ws` })
      for (const write of [(text: string) => text, (text: string) => JSON.stringify({ text })]) {
        socket.send(write(TEXT))
        if (arrives !== null) t.equal((await socket.next()).text, write(arrives), name)
        socket.send(write(HARMLESS))
        t.equal((await socket.next()).text, write(HARMLESS), name)
      }
      t.same(socket.waiting, [])
      await socket.close()
    }
  })
}
