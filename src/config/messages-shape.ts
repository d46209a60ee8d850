/** The settings of message rules: which text, and what may not stand in it. It knows no transport. */
import { z } from 'zod'
import { fieldPath, size } from './shape-terms.ts'

/** What a message may keep of its markup: elements that load nothing, run nothing, and change no parser's reading. */
const KEPT_TAGS = [
  ...[
    'a',
    'abbr',
    'b',
    'bdi',
    'blockquote',
    'br',
    'cite',
    'code',
    'dd',
    'del',
    'dfn',
    'dl',
    'dt',
    'em',
    'h1',
    'h2',
    'h3',
  ],
  ...['h4', 'h5', 'h6', 'hr', 'i', 'ins', 'kbd', 'li', 'mark', 'ol', 'p', 'pre', 'q', 's', 'samp', 'small', 'span'],
  ...['strong', 'sub', 'sup', 'u', 'ul', 'var', 'wbr'],
] as const
const keptTag = z.enum(KEPT_TAGS, {
  error: (issue) =>
    typeof issue.input === 'string' && /^[a-z][a-z0-9-]*$/.test(issue.input)
      ? `"${issue.input.slice(0, 64)}" is no element that a message may keep: it could run or load something, hide words, or change how a browser reads what follows; write some of ${KEPT_TAGS.join(', ')}`
      : 'is not the name of an element; write it in lower case and without brackets, for example "b"',
})

export const messages = z.strictObject({
  fields: z
    .array(fieldPath)
    .max(64)
    .prefault([])
    .describe(
      'Where text stands in JSON bodies and messages: `$.text`, `$.parts[*].body`, `$..caption`. Empty: every string is cleaned. Plain text is cleaned whole and needs none.',
    ),
  events: z
    .record(
      z
        .string()
        .min(1, 'is not the name of an event')
        .max(128, 'is too long for the name of an event')
        .meta({ title: 'event' }),
      z.array(fieldPath).max(64),
    )
    .prefault({})
    .describe(
      'For socket.io: event name to the paths of its text, over the list of arguments: `{ "message": ["$[0].text"] }`. What happens to other events, `otherEvents` says.',
    ),
  otherEvents: z
    .enum(['refuse', 'inspect', 'pass'])
    .prefault('inspect')
    .describe(
      'socket.io events that `events` does not name: refuse them, clean every string in them, or let them pass as they are.',
    ),
  files: z
    .enum(['refuse', 'pass'])
    .prefault('refuse')
    .describe('Files in multipart forms, which nobody inspects. Their names are; the fields beside them are cleaned.'),
  binary: z
    .enum(['refuse', 'pass'])
    .prefault('refuse')
    .describe('Binary WebSocket messages and attachments of socket.io events, which nobody can inspect.'),
  html: z
    .enum(['strip', 'escape', 'allow', 'reject'])
    .prefault('strip')
    .describe(
      '`strip`: no element survives, the words do. `escape`: the code arrives as plain text. `allow`: only the elements of `allowTags` survive. `reject`: a text with markup breaks a rule.',
    ),
  allowTags: z
    .array(keptTag)
    .min(1, 'is empty; for no element at all write "html": "strip"')
    .optional()
    .describe(
      'Elements that `allow` keeps, without attributes: `["b", "i", "a"]`. Of a link `href` stays (http, https, mailto), and `rel="noopener noreferrer nofollow"` is added. Nothing that runs, loads or changes the reading of what follows can be named.',
    ),
  output: z
    .enum(['html', 'text'])
    .prefault('html')
    .describe(
      'Form of the cleaned text: `html` is escaped and safe in innerHTML; `text` is plain, for clients that never use innerHTML.',
    ),
  cards: z
    .enum(['mask', 'reject', 'off'])
    .prefault('mask')
    .describe(
      'Payment cards: `mask` leaves the last four digits of a number, and nothing of verification codes and track data; `reject`: a text with a card breaks a rule. But for `off`, a URL with a card in it is refused.',
    ),
  cardsShown: z.enum(['last4', 'first6last4']).prefault('last4').describe('What of a masked card number may be read.'),
  maxSize: size('16 KB', 'One message.', '1 B', '16 MB'),
  onViolation: z
    .enum(['refuse', 'close'])
    .prefault('refuse')
    .describe('A WebSocket message that breaks a rule: refuse it alone, or close the socket.'),
})
