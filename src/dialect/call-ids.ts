/**
 * Ids of tool calls as an upstream takes them (PROTOCOL §1.2 "Call id", C09).
 *
 * A legal id stays; another gets an alias that is made of it alone, so that each turn of a conversation spells it alike and the provider's
 * prompt cache holds. Within one conversation no two calls share an id: models and gateways that number their calls from 0 in each turn do so.
 */

/** What an id may look like: anything, `[A-Za-z0-9_-]`, or nine letters and digits (Mistral). */
export type CallIdForm = 'any' | 'word' | 'alnum9'

const longest = 64
const legal: Readonly<Record<CallIdForm, RegExp>> = { any: /^.{1,64}$/s, word: /^[A-Za-z0-9_-]{1,64}$/, alnum9: /^[A-Za-z0-9]{9}$/ }

/** The id itself when it is legal, else an alias. */
export function legalCallId(id: string, form: CallIdForm): string {
  if (legal[form].test(id)) return id
  if (form === 'alnum9') return hashOf(id).padStart(9, '0').slice(-9)
  return `call_${hashOf(id)}`.slice(0, longest)
}

/** Gives each call of one conversation, in order, an id that is legal and taken by no other. */
export function uniqueCallIds(form: CallIdForm): (id: string) => string {
  const taken = new Set<string>()
  return (id) => {
    let mine = legalCallId(id, form)
    for (let again = 2; taken.has(mine); again++) mine = legalCallId(`${id}\n${again}`, form === 'any' ? 'word' : form)
    taken.add(mine)
    return mine
  }
}

function hashOf(text: string): string {
  return Bun.hash(text).toString(36)
}
