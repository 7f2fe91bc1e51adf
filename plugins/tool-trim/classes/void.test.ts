import { describe, expect, test } from 'bun:test'
import { encoded, historyOf, result, seen } from './class.fixture.ts'
import { diffHeads } from './diff-heads.ts'
import { codexHead, repeatedReminders } from './harness.ts'
import { terminal } from './terminal.ts'

describe('the head of a Codex result', () => {
  const head = (lines: string) => `${lines}Output:\nhello\nChunk ID: abc\nOriginal token count: 3\n`
  test('loses its id, its count and a short time; how the process ended stays', () => {
    const text = head('Chunk ID: 19dc0a\nWall time: 0.0000 seconds\nProcess exited with code 1\nOriginal token count: 1082\n')
    expect(encoded(codexHead, text)).toBe('Process exited with code 1\nOutput:\nhello\nChunk ID: abc\nOriginal token count: 3\n')
  })
  test('a long time stays', () => {
    const text = head('Chunk ID: 19dc0a\nWall time: 30.0020 seconds\nProcess running with session ID 35406\nOriginal token count: 990\n')
    expect(encoded(codexHead, text)).toStartWith('Wall time: 30.0020 seconds\nProcess running with session ID 35406\nOutput:\n')
  })
  test('other texts pass', () => {
    expect(encoded(codexHead, 'Wall time: 0.1 seconds\nOutput:\nx')).toBeUndefined()
    expect(encoded(codexHead, `Chunk ID: 19dc0a\n${'x'.repeat(500)}\nOutput:\nx`)).toBeUndefined()
  })
})

describe('reminders in results', () => {
  const reminder = `<system-reminder>\n${'be careful with files, and with folders. '.repeat(5)}\n</system-reminder>`
  const other = reminder.replace('careful', 'kind')
  test('that stand in an earlier result word for word go from the end of a result', () => {
    const history = historyOf(seen(`file\n\n${reminder}\n${'x'.repeat(100)}`))
    expect(encoded(repeatedReminders, `other file\n\n${reminder}\n`, history)).toBe('other file\n')
    expect(encoded(repeatedReminders, `a\n${reminder}\n\n${other}\n`, history)).toBe(`a\n\n${other}\n`)
    expect(encoded(repeatedReminders, `a\n\n${other}\n${reminder}`, history)).toBe(`a\n\n${other}`)
  })
  test('what a file says stays: in its midst, on numbered lines, or when a command prints it', () => {
    const history = historyOf(seen(`file\n\n${reminder}\n${'x'.repeat(100)}`))
    expect(encoded(repeatedReminders, `a\n${reminder}\nb`, history)).toBeUndefined()
    expect(encoded(repeatedReminders, result(`     1→${reminder}`, { kind: 'file' }), history)).toBeUndefined()
    expect(encoded(repeatedReminders, `const text = '${reminder}`, history)).toBeUndefined()
    expect(encoded(repeatedReminders, result(`a\n${reminder}\n`, { command: 'cat prompt.md' }), history)).toBeUndefined()
  })
  test('a short one, and one that is all of a result, may speak of this very result', () => {
    const empty = '<system-reminder>Warning: the file exists but is empty.</system-reminder>'
    const history = historyOf(seen(`a\n${empty}\n${reminder}\n${'x'.repeat(200)}`))
    expect(encoded(repeatedReminders, `a\n${empty}`, history)).toBeUndefined()
    expect(encoded(repeatedReminders, `${reminder}\n`, history)).toBeUndefined()
    expect(encoded(repeatedReminders, `${empty}\n${reminder}\n`, history)).toBe(`${empty}\n`)
  })
  test('the first stays, and so does one whose earlier one is no longer there', () => {
    expect(encoded(repeatedReminders, `file\n${reminder}`)).toBeUndefined()
    const referred = seen(`file\n\n${reminder}\n${'x'.repeat(100)}`, { shown: [] })
    expect(encoded(repeatedReminders, `file\n${reminder}`, historyOf(referred))).toBeUndefined()
    const said = seen(`file\n\n${reminder}\n${'x'.repeat(100)}`, { from: 'message', part: 'user' })
    expect(encoded(repeatedReminders, `file\n${reminder}`, historyOf(said))).toBeUndefined()
  })
  test('an end that is missing', () => {
    expect(
      encoded(repeatedReminders, `file\n<system-reminder>${reminder.slice(18, 40)}`, historyOf(seen(reminder.padEnd(200)))),
    ).toBeUndefined()
  })
})

describe('terminals', () => {
  test('colours, cursor movements and titles go', () => {
    expect(encoded(terminal, '\x1b[1m\x1b[31mFAIL\x1b[0m a\x1b[K\x1b]0;title\x07 b \x1b(B')).toBe('FAIL a b ')
    expect(encoded(terminal, 'an escape of another kind: \x1bPq#0 \x1b[5~')).toBeUndefined()
  })
  test('of a line that was written over its last state stays', () => {
    expect(encoded(terminal, 'start\n  10%\r  50%\r 100%\nend\r\nlast')).toBe('start\n 100%\nend\r\nlast')
    // the end of the longer would still be seen
    expect(encoded(terminal, 'downloading a\rdone')).toBeUndefined()
    expect(encoded(terminal, 'windows\r\nline\r\nends\r\n')).toBeUndefined()
  })
  test('only of shells, and not what a file holds: an edit has to match it', () => {
    for (const command of ['cat fixtures/colours.snap', 'cd app && head -20 a.txt', "sed -n '1,9p' a.txt"]) {
      expect(encoded(terminal, result('\x1b[1mbold\x1b[0m', { command }))).toBeUndefined()
      expect(encoded(terminal, result('old mac\rline ends, the last the longest', { command }))).toBeUndefined()
    }
    expect(encoded(terminal, result('\x1b[1mbold\x1b[0m', { kind: 'file' }))).toBeUndefined()
  })
})

describe('heads of diffs', () => {
  const diff = 'diff --git a/src/a.ts b/src/a.ts\nindex 74e3def..23ff8d3 100644\n--- a/src/a.ts\n+++ b/src/a.ts\n@@ -1,2 +1,2 @@\n-a\n+b\n'
  test('say the path once', () => {
    expect(encoded(diffHeads, `${diff}${diff}`)).toBe('diff --git a/src/a.ts b/src/a.ts\n@@ -1,2 +1,2 @@\n-a\n+b\n'.repeat(2))
  })
  test('what says more than the path stays', () => {
    expect(
      encoded(diffHeads, diff.replace('index', 'new file mode 100644\nindex').replace('--- a/src/a.ts', '--- /dev/null')),
    ).toBeUndefined()
    expect(encoded(diffHeads, diff.replace('b/src/a.ts\nindex', 'b/src/b.ts\nindex'))).toBeUndefined()
    expect(encoded(diffHeads, result(diff, { kind: 'file' }))).toBeUndefined()
    expect(encoded(diffHeads, result(diff, { command: 'cat fix.patch' }))).toBeUndefined()
  })
})
