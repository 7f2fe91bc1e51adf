/**
 * The code blocks of a Markdown text, each with the comment that stands above it and says what it is: `<!-- file: gateway.yaml -->`.
 *
 * Reads text, runs nothing.
 */

export interface Block {
  /** Language after the fence. */
  readonly lang: string
  readonly text: string
  /** What the comment above says: `file`, `plugins`, `error` … and its value. */
  readonly mark?: { readonly kind: string; readonly value: string }
  /** Line of the fence, from 1. */
  readonly line: number
}

/** All fenced blocks, in order. */
export function blocksOf(markdown: string): readonly Block[] {
  const lines = markdown.split('\n')
  const blocks: Block[] = []
  for (let i = 0; i < lines.length; i++) {
    const fence = /^ *```(\S*)/.exec(lines[i]!)
    if (!fence) continue
    const start = i++
    while (i < lines.length && !/^ *```\s*$/.test(lines[i]!)) i++
    const mark = /^<!-- ([a-z]+)(?:: (.*))? -->$/.exec(lines[start - 1] ?? '')
    blocks.push({
      lang: fence[1]!,
      text: `${lines.slice(start + 1, i).join('\n')}\n`,
      line: start + 1,
      ...(mark && { mark: { kind: mark[1]!, value: mark[2] ?? '' } }),
    })
  }
  return blocks
}

/** Cells of the first column of the table below a heading, without their code marks. */
export function tableBelow(markdown: string, heading: string): readonly string[] {
  const section = markdown.split(`\n${heading}\n`)[1]?.split(/\n#+ /)[0] ?? ''
  return [...section.matchAll(/^\| `([^`]+)`/gm)].map((match) => match[1]!)
}
