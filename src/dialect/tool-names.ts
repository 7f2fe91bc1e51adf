/**
 * Names of tools in the spelling that every upstream takes, and back (PROTOCOL §1.2 "Name").
 *
 * A name that is legal everywhere stays. Others get an alias made of the name and a hash of it, the same for each turn of a conversation, so that the
 * provider's prompt cache holds. Replies get the client's own names again. One instance per exchange.
 */

const legal = /^[A-Za-z_][A-Za-z0-9_-]*$/

export interface ToolName {
  readonly name: string
  readonly namespace?: string | undefined
}

export class ToolNames {
  private readonly aliases = new Map<string, ToolName>()

  /** @param limit longest name that the upstream takes */
  constructor(private readonly limit: number) {}

  /** The name for the upstream. */
  readonly of = (name: string, namespace?: string): string => {
    const full = namespace === undefined ? name : `${namespace}__${name}`
    let alias = full
    if (full.length > this.limit || !legal.test(full)) alias = this.shortened(full)
    const taken = this.aliases.get(alias)
    // `a__b` may be a tool of its own beside tool `b` of namespace `a`
    if (taken && (taken.name !== name || taken.namespace !== namespace)) alias = this.shortened(`${namespace ?? ''}\n${name}`)
    this.aliases.set(alias, { name, namespace })
    return alias
  }

  /** The client's own name; undefined when the upstream made the name up. */
  original(alias: string): ToolName | undefined {
    return this.aliases.get(alias)
  }

  private shortened(full: string): string {
    const hash = Bun.hash(full).toString(16).padStart(16, '0').slice(0, 10)
    const readable = full.replace(/[^A-Za-z0-9_-]/g, '_').replace(/^[^A-Za-z_]/, '_')
    return `${readable.slice(0, this.limit - hash.length - 1)}_${hash}`
  }
}
