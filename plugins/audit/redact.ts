/**
 * Takes secrets and people out of a text before it is kept: API keys, e-mail addresses, numbers of payment cards, and what the operator
 * names. Pure. It errs on the side of taking too much; what it does not know it can't take.
 */

/** What may be taken out by name. */
export const redactions = ['keys', 'emails', 'cards'] as const
export type Redaction = (typeof redactions)[number]

/** Keys of the providers, of code hosts and clouds, bearer credentials and signed tokens. */
const keys =
  /\b(?:sk|pk|rk|hg|ak|xai|gsk|ghp|gho|ghs|glpat|hf|r8|pplx|nvapi)[-_][A-Za-z0-9_-]{12,}|\bAKIA[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{30,}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*|\bBearer\s+[A-Za-z0-9._~+/=-]{12,}/g
const emails = /[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}/g
/** 13 to 19 digits, in groups or not; whether they are a card's is decided by their check digit. */
const digits = /(?<![0-9])(?:[0-9][ -]?){12,18}[0-9](?![0-9])/g

/**
 * Makes the function that redacts. `patterns` are regular expressions of the operator.
 * @throws SyntaxError for a pattern that is none.
 */
export function redactor(what: readonly Redaction[] = redactions, patterns: readonly string[] = []): (text: string) => string {
  const own = patterns.map((pattern) => new RegExp(pattern, 'g'))
  const has = (name: Redaction) => what.includes(name)
  return (text) => {
    let out = text
    if (has('keys')) out = out.replace(keys, '[key]')
    if (has('emails') && out.includes('@')) out = out.replace(emails, '[email]')
    if (has('cards')) out = out.replace(digits, (found) => (isCard(found) ? '[card]' : found))
    for (const pattern of own) out = out.replace(pattern, '[redacted]')
    return out
  }
}

/** Luhn's check digit. */
function isCard(text: string): boolean {
  const plain = text.replace(/[^0-9]/g, '')
  if (/^(.)\1*$/.test(plain)) return false
  let sum = 0
  for (let i = 0; i < plain.length; i++) {
    const digit = plain.charCodeAt(plain.length - 1 - i) - 48
    const doubled = i % 2 === 1 ? digit * 2 : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}
