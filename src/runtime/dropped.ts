/**
 * The value of `x-gateway-dropped`: the fields of a request that its upstream could not be told, by the names that the client gave them.
 *
 * A client may name its fields as it likes; a header may hold neither control characters nor what is beyond ASCII, and proxies take but a few kilobytes.
 */

/** Characters of the header. */
const longest = 1000

/** The names with commas between them; what no header can hold becomes `?`. `+3` at the end = three more than fit. */
export function droppedHeader(dropped: readonly string[]): string {
  let text = ''
  for (const [i, field] of dropped.entries()) {
    const name = field.replace(/[^\x21-\x2b\x2d-\x7e]+/g, '?')
    if (text.length + name.length > longest) return `${text}${i === 0 ? '' : ','}+${dropped.length - i}`
    text += i === 0 ? name : `,${name}`
  }
  return text
}
