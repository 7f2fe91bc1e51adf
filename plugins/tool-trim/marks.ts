/** References that were sent in one conversation, and the lines that each stands for: what a model means that writes one itself. Bounded. */

/** More references of one conversation are not remembered, nor longer ones. */
const most = 2000
const longest = 20_000

export class Marks {
  private readonly lines = new Map<string, string>()
  /** Characters of all, for whoever bounds memory. */
  characters = 0

  get size(): number {
    return this.lines.size
  }

  /** What a reference stands for; undefined when it is none of this conversation, or not remembered. */
  get(mark: string): string | undefined {
    return this.lines.get(mark)
  }

  add(mark: string, lines: string): void {
    if (this.lines.size >= most || lines.length > longest || this.lines.has(mark)) return
    this.lines.set(mark, lines)
    this.characters += mark.length + lines.length
  }
}
