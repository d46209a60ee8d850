/**
 * Knows what is guessed first: a small list of words, rows of keys, repetitions; also dressed up with digits, signs and
 * capitals. It is no dictionary: length is what protects, this only stops the worst.
 */

const WORDS = [
  'abc abcd access account admin administrator agent aliyun amanda andrew angel arsenal asdf ashley austin bailey banana baseball',
  'basketball batman biteme blink buster butterfly callcenter callcentre cameron captain changeit changeme charlie cheese chelsea',
  'chicken chocolate cisco company computer contact contactcenter cookie corvette customer dallas daniel default demo diamond donald',
  'dragon eagle eclipse enter falcon flower football freedom friend fuckyou gateway george ginger god google guest hannah harley',
  'hello helpdesk hockey hunter iloveyou internet jasmine jennifer jessica jesus jordan joshua justin killer lakers letmein letmein',
  'liverpool login london love lovely maggie manager master matrix matthew merlin michael michelle mickey microsoft monday monkey',
  'mustang mypassword naruto nicole ninja nothing oracle orange p passwd password passphrase pass passport patrick pepper phoenix pokemon',
  'portcullis princess private purple qazwsx qwerty qwertz ranger root samsung scooter secret secure security server service shadow',
  'silver snoopy soccer spring summer autumn winter starwars startrek steelers sunday sunshine superman supervisor support system',
  'taylor temp temporary tennis test tester testing thomas tigger tiger trustno trustnoone user username vagrant victoria welcome',
  'whatever william winner wizard yamaha yankees zxcvbn geheim passwort kennwort motdepasse contrasena parola senha wachtwoord haslo',
].join(' ')

const COMMON = new Set(WORDS.split(' '))

/** Rows of keys and of the alphabet, both ways round. */
const ROWS = [
  '01234567890123456789',
  'abcdefghijklmnopqrstuvwxyz',
  'qwertyuiopasdfghjklzxcvbnm',
  'qwertzuiopasdfghjklyxcvbnm',
  '1qaz2wsx3edc4rfv5tgb',
]
const RUNS = ROWS.flatMap((row) => [row, [...row].reverse().join('')])
/** Characters of a row that are one. */
const LEAST_RUN = 4
/** How much of a password rows may be. */
const MOST_SHARE = 0.7

const LOOKALIKE: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
  '!': 'i',
}

/** True for a password that is a common word with ornaments, one or two of them in a row, or mostly a row of keys. */
export function isCommonPassword(password: string): boolean {
  const text = password.toLowerCase()
  const core = text.replace(/^[^\p{L}]+|[^\p{L}]+$/gu, '')
  if (isWord(text) || isWord([...core].map((each) => LOOKALIKE[each] ?? each).join(''))) return true
  return isRepetition(text) || inRows(text) >= text.length * MOST_SHARE
}

/** Letters only: what digits and signs stand around or between counts for nothing. */
function isWord(text: string): boolean {
  const letters = text.replace(/[^\p{L}]/gu, '')
  if (COMMON.has(letters)) return true
  for (let cut = 3; cut <= letters.length - 3; cut++) {
    if (COMMON.has(letters.slice(0, cut)) && COMMON.has(letters.slice(cut))) return true
  }
  return false
}

/** `abcabcabcabc`, `aaaaaaaaaaa1`. */
function isRepetition(text: string): boolean {
  if (new Set(text).size <= 3) return true
  for (let length = 1; length <= 4; length++) {
    const unit = text.slice(0, length)
    if (text.length >= length * 3 && unit.repeat(Math.ceil(text.length / length)).startsWith(text)) return true
  }
  return false
}

/** Characters that stand in pieces of rows. */
function inRows(text: string): number {
  let total = 0
  for (let start = 0; start < text.length; ) {
    let length = 0
    while (start + length < text.length && isInRow(text.slice(start, start + length + 1))) length++
    if (length >= LEAST_RUN) total += length
    start += Math.max(1, length)
  }
  return total
}

function isInRow(piece: string): boolean {
  return RUNS.some((row) => row.includes(piece))
}
