/**
 * Turns in the order that strict providers demand: every call answered, in call order, right after the turn that made it (PROTOCOL §1.2 "Result
 * order", C08).
 *
 * Dialects put results in messages of their own, in any order, or between texts; each writer would have to sort them. A call without a result
 * gets an error result, because providers reject the history otherwise; of two results for one call the last wins; a result without a call is
 * refused. Turns of the same speaker are joined. Nothing else of a turn is changed.
 */

import type { CallContent, Content, ResultContent, Turn } from './conversation.ts'
import type { LossReport } from './loss.ts'

interface Slot {
  readonly call: CallContent
  result: ResultContent | undefined
}
interface Node {
  readonly role: Turn['role']
  readonly name: string | undefined
  readonly content: Content[]
  readonly slots: Slot[]
}

/** What a model is told of a call whose result the client never sent. */
export const missingResult = 'There is no result: this call was not answered.'

/**
 * @param callId the id of a call for the upstream; asked once per call, in order (`uniqueCallIds`)
 * @returns turns of which no two neighbours are both `user` or both `assistant`; results stand first in the user turn behind their calls
 */
export function pairResults(turns: readonly Turn[], report: LossReport, callId: (id: string) => string = (id) => id): Turn[] {
  const nodes: Node[] = []
  const open = new Map<string, Slot>()
  for (const turn of turns) {
    const role = turn.role
    const last = nodes.at(-1)
    const joins = last !== undefined && last.role === role && (role === 'user' || role === 'assistant')
    const node: Node = joins ? last : { role, name: turn.name, content: [], slots: [] }
    if (!joins) nodes.push(node)
    for (const content of turn.content) {
      if (content.type === 'result') {
        const slot = open.get(content.id)
        if (slot) slot.result = { ...content, id: slot.call.id }
        else report.refuse('messages', `A tool result answers the call "${content.id}", but there is no such call before it.`)
      } else if (content.type === 'call') {
        const slot: Slot = { call: { ...content, id: callId(content.id) }, result: undefined }
        open.set(content.id, slot)
        node.slots.push(slot)
        node.content.push(slot.call)
      } else node.content.push(content)
    }
  }
  return joined(nodes)
}

function joined(nodes: readonly Node[]): Turn[] {
  const turns: { role: Turn['role']; name: string | undefined; content: Content[] }[] = []
  const add = (role: Turn['role'], name: string | undefined, content: readonly Content[]): void => {
    if (content.length === 0) return
    const last = turns.at(-1)
    if (last && last.role === role && (role === 'user' || role === 'assistant')) last.content.push(...content)
    else turns.push({ role, name, content: [...content] })
  }
  for (const node of nodes) {
    add(node.role, node.name, node.content)
    if (node.slots.length > 0) add('user', undefined, node.slots.map(resultOf))
  }
  return turns
}

function resultOf({ call, result }: Slot): ResultContent {
  return result ?? { type: 'result', id: call.id, name: call.name, content: [{ type: 'text', text: missingResult }], error: true }
}
