/** The words for what is wrong with a JSON text. It knows the names of the parser's errors, and no setting. */

/** After these the parser still sees the whole of the text as it was meant. */
export const HARMLESS: ReadonlySet<string> = new Set(['InvalidEscapeCharacter', 'InvalidUnicode', 'InvalidCharacter'])
/** What follows a forgotten comma; anything else where a comma is expected means a forgotten bracket. */
export const STARTS_VALUE = /^["{[\dtfn-]/

/** A sentence for one of the parser's error codes and the text it stumbled over. */
export function syntaxSentence(code: string, found: string): string {
  const quoted =
    found === '' ? 'the end of the file' : JSON.stringify(found.length > 20 ? `${found.slice(0, 20)}...` : found)
  switch (code) {
    case 'CommaExpected':
      return `${quoted} is not expected here; a bracket or a quote before it may be missing`
    case 'ColonExpected':
      return `a colon is missing after the key, before ${quoted}`
    case 'PropertyNameExpected':
      return `a key in double quotes is expected here, not ${quoted}`
    case 'ValueExpected':
      return `a value is expected here, not ${quoted}`
    case 'CloseBraceExpected':
      return `an object is not closed: "}" is expected here, not ${quoted}`
    case 'CloseBracketExpected':
      return `a list is not closed: "]" is expected here, not ${quoted}`
    case 'EndOfFileExpected':
      return `nothing more is expected here, but there is ${quoted}`
    case 'UnexpectedEndOfComment':
      return 'this comment is not closed; write "*/" at its end'
    case 'UnexpectedEndOfString':
      return 'this text is not closed; write a double quote at its end'
    case 'UnexpectedEndOfNumber':
    case 'InvalidNumberFormat':
      return `${quoted} is not a number`
    case 'InvalidUnicode':
      return 'has a \\u escape without four hex digits'
    case 'InvalidEscapeCharacter':
      return 'has an escape that JSON does not know; write "\\\\" for a backslash'
    case 'InvalidCharacter':
      return 'has a control character; write it as an escape, "\\t" or "\\n" for example'
    default:
      return found.startsWith("'")
        ? 'texts and keys stand in double quotes, not in single ones'
        : `${quoted} is not JSON; texts and keys stand in double quotes`
  }
}
