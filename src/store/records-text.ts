/**
 * The text of statements: from a tagged template to what a database is given, checked once per template and kept.
 *
 * Placeholders stand where the values stood. What cannot work on both databases, or would break the isolation of others, is refused
 * here with a sentence that says what to do. Runs nothing.
 */

/** The code of a statement: texts in quotes and comments are blanks of the same length. */
export function codeOf(text: string): string {
  return text.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\//g, (found) => ' '.repeat(found.length))
}

const control = /^\s*(begin|commit|end|rollback|savepoint|release|start|set|pragma|attach|detach|vacuum|copy|listen|lock)\b/i

/** @throws TypeError when the text is no single statement of the portable kind. */
export function checkText(text: string): void {
  const code = codeOf(text)
  if (/;\s*\S/.test(code)) throw new TypeError('one statement at a time: run several in records.transaction')
  const word = control.exec(code)?.[1]
  if (word !== undefined) throw new TypeError(`${word.toUpperCase()} is not for plugins: use records.transaction`)
  if (/[?]|\$\d/.test(code)) throw new TypeError(`placeholders are made from values: write \`\${value}\` in the template`)
}

const texts = { sqlite: new WeakMap<object, string>(), postgres: new WeakMap<object, string>() }

/** The text of a template for one database. @throws TypeError as {@link checkText} */
export function textOf(template: TemplateStringsArray, database: 'sqlite' | 'postgres'): string {
  const known = texts[database].get(template)
  if (known !== undefined) return known
  checkText(template.join(' NULL '))
  const text = template.reduce((all, part, i) => `${all}${database === 'sqlite' ? `?${i}` : `$${i}`}${part}`)
  texts[database].set(template, text)
  return text
}

/** Names that were found good: each row brings its columns' names again. */
const names = new Set<string>()
const mostNames = 2000
/** Names of tables and columns that need no quotes on either database. */
const identifier = /^[a-z_][a-z0-9_]{0,62}$/

/** @throws TypeError when a name is not small letters, digits and `_`. */
export function checkName(name: string): void {
  if (names.has(name)) return
  if (!identifier.test(name)) throw new TypeError(`${JSON.stringify(name)} is no name of a table or column: use a-z, 0-9 and _`)
  if (names.size < mostNames) names.add(name)
}

/** `INSERT` of so many rows that leaves rows alone whose id is there. */
export function insertText(table: string, columns: readonly string[], rows: number, database: 'sqlite' | 'postgres'): string {
  let n = 0
  const row = () => `(${columns.map(() => (database === 'sqlite' ? `?${++n}` : `$${++n}`)).join(', ')})`
  const names = columns.map((c) => `"${c}"`).join(', ')
  return `INSERT INTO "${table}" (${names}) VALUES ${Array.from({ length: rows }, row).join(', ')} ON CONFLICT (id) DO NOTHING`
}
