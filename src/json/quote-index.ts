/**
 * The one vector loop of the gateway: where the unescaped quotes of a JSON text are.
 *
 * Prose and code make up nearly all of a request, so the cost of checking a body is the cost of getting past its strings.
 * A byte loop needs 2 us per KB for that and one native `indexOf` per quote 0.6; this loop looks at 64 bytes at a time and
 * needs 0.1. It is a WebAssembly function of some sixty instructions, assembled here from the text below when the file is
 * loaded, and a plain fallback with the same results for machines without vector instructions. It knows nothing of JSON
 * beyond quotes and backslashes; `scan.ts` checks what lies between.
 */

/** Bytes looked at in one call; bounds the memory that the kernel needs, whatever the body's size. */
export const WINDOW = 65536

/** Finds unescaped quotes, window by window. One instance serves one synchronous scan at a time. */
export interface QuoteIndex {
  /** Positions found by the last call to `find`, relative to its `start`. */
  readonly positions: Uint16Array
  /**
   * Finds the quotes of `bytes[start, end)` that no backslash escapes; `end - start` is at most WINDOW, and a
   * multiple of 64 unless the text ends there.
   * @param escaped 1 when the byte at `start` is escaped by the window before.
   * @returns number of positions * 2, plus 1 when the first byte after the window is escaped.
   */
  find(bytes: Uint8Array, start: number, end: number, escaped: 0 | 1): number
}

// Window at address 0, positions behind it. Escapes are resolved as in simdjson: `escaped` = characters behind an odd run of backslashes.
const KERNEL = `
  i32.const 34 | i8x16.splat | local.set quote
  i32.const 92 | i8x16.splat | local.set slash
  i32.const ${WINDOW} | local.set out
  local.get escaped | i64.extend_i32_u | local.set carry
  block
    local.get end | i32.eqz | br_if 0
    loop
      i64.const 0 | local.set q
      i64.const 0 | local.set b
      ${[0, 16, 32, 48]
        .map(
          (offset) => `
      local.get at | v128.load ${offset} | local.tee v | local.get quote | i8x16.eq | i8x16.bitmask | i64.extend_i32_u
      i64.const ${offset} | i64.shl | local.get q | i64.or | local.set q
      local.get v | local.get slash | i8x16.eq | i8x16.bitmask | i64.extend_i32_u
      i64.const ${offset} | i64.shl | local.get b | i64.or | local.set b`,
        )
        .join('')}

      local.get b | local.get carry | i64.or | i64.eqz
      if
      else
        local.get carry | i64.const -1 | i64.xor | local.get b | i64.and | local.tee p
        i64.const 1 | i64.shl | i64.const odd | i64.or | local.get p | i64.sub | i64.const odd | i64.xor | local.set e
        local.get e | local.get b | local.get carry | i64.or | i64.xor | i64.const -1 | i64.xor | local.get q | i64.and | local.set q
        local.get e | local.get b | i64.and | i64.const 63 | i64.shr_u | local.set carry
      end

      block
        local.get q | i64.eqz | br_if 0
        loop
          local.get out | local.get q | i64.ctz | i32.wrap_i64 | local.get at | i32.add | i32.store16 0
          local.get out | i32.const 2 | i32.add | local.set out
          local.get q | local.get q | i64.const 1 | i64.sub | i64.and | local.tee q
          i64.eqz | i32.eqz | br_if 0
        end
      end

      local.get at | i32.const 64 | i32.add | local.tee at | local.get end | i32.lt_u | br_if 0
    end
  end
  local.get out | i32.const ${WINDOW} | i32.sub | local.get carry | i32.wrap_i64 | i32.or
end`

const LOCALS = ['end', 'escaped', 'at', 'out', 'carry', 'q', 'b', 'p', 'e', 'v', 'quote', 'slash']

const OPCODES: Readonly<Record<string, readonly number[]>> = {
  block: [0x02, 0x40],
  loop: [0x03, 0x40],
  if: [0x04, 0x40],
  else: [0x05],
  end: [0x0b],
  br_if: [0x0d],
  'local.get': [0x20],
  'local.set': [0x21],
  'local.tee': [0x22],
  'i32.store16': [0x3b, 0x01],
  'i32.const': [0x41],
  'i64.const': [0x42],
  'i32.eqz': [0x45],
  'i32.lt_u': [0x49],
  'i64.eqz': [0x50],
  'i32.add': [0x6a],
  'i32.sub': [0x6b],
  'i32.or': [0x72],
  'i64.ctz': [0x7a],
  'i64.sub': [0x7d],
  'i64.and': [0x83],
  'i64.or': [0x84],
  'i64.xor': [0x85],
  'i64.shl': [0x86],
  'i64.shr_u': [0x88],
  'i32.wrap_i64': [0xa7],
  'i64.extend_i32_u': [0xad],
  'v128.load': [0xfd, 0x00, 0x00],
  'i8x16.splat': [0xfd, 0x0f],
  'i8x16.eq': [0xfd, 0x23],
  'i8x16.bitmask': [0xfd, 0x64],
}

/** The bits 1, 3, 5, … of a 64-bit word. */
const ODD = BigInt.asIntN(64, 0xaaaaaaaaaaaaaaaan)

function signedLeb(value: bigint): number[] {
  const bytes: number[] = []
  for (;;) {
    const low = Number(value & 0x7fn)
    value >>= 7n
    const last = (value === 0n && (low & 0x40) === 0) || (value === -1n && (low & 0x40) !== 0)
    bytes.push(last ? low : low | 0x80)
    if (last) return bytes
  }
}

/** LEB128 of a length. */
function unsignedLeb(length: number): number[] {
  return length < 128 ? [length] : [(length & 0x7f) | 0x80, ...unsignedLeb(length >>> 7)]
}

function instruction(text: string): number[] {
  const [name = '', operand] = text.split(' ')
  const opcode = OPCODES[name]
  if (opcode === undefined) throw new Error(`quote kernel: unknown instruction ${name}`)
  if (operand === undefined) return [...opcode]
  if (name.startsWith('local.')) return [...opcode, LOCALS.indexOf(operand)]
  if (name.endsWith('.const')) return [...opcode, ...signedLeb(operand === 'odd' ? ODD : BigInt(operand))]
  return [...opcode, Number(operand)]
}

function assemble(): Uint8Array<ArrayBuffer> {
  const code = KERNEL.split(/[\n|]/)
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .flatMap(instruction)
  const section = (id: number, body: number[]) => [id, ...unsignedLeb(body.length), ...body]
  const name = (text: string) => [text.length, ...new TextEncoder().encode(text)]
  // locals after the two parameters: 2 x i32, 5 x i64, 3 x v128
  const body = [0x03, 0x02, 0x7f, 0x05, 0x7e, 0x03, 0x7b, ...code]
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [0x01, 0x60, 0x02, 0x7f, 0x7f, 0x01, 0x7f]), // type: (i32, i32) -> i32
    ...section(3, [0x01, 0x00]), // one function
    ...section(5, [0x01, 0x01, 0x03, 0x03]), // memory: one window of bytes and one of 16-bit positions, 3 pages, fixed
    ...section(7, [0x02, ...name('find'), 0x00, 0x00, ...name('memory'), 0x02, 0x00]),
    ...section(10, [0x01, ...unsignedLeb(body.length), ...body]),
  ])
}

function instantiate(): WebAssembly.Instance | null {
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(assemble()))
  } catch {
    return null
  }
}

/** The vector loop, or null when this machine cannot run it. */
export function vectorQuoteIndex(): QuoteIndex | null {
  const instance = instantiate()
  if (instance === null) return null
  const memory = (instance.exports.memory as WebAssembly.Memory).buffer
  const kernel = instance.exports.find as (end: number, escaped: number) => number
  const input = new Uint8Array(memory, 0, WINDOW)
  return {
    positions: new Uint16Array(memory, WINDOW, WINDOW),
    find(bytes, start, end, escaped) {
      const length = end - start
      input.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end))
      const padded = (length + 63) & ~63
      if (padded !== length) input.fill(0, length, padded)
      return kernel(padded, escaped)
    },
  }
}

/** The same by native search for each quote; backslashes are counted once, so the time stays linear. */
export function plainQuoteIndex(): QuoteIndex {
  const positions = new Uint16Array(WINDOW)
  return {
    positions,
    find(bytes, start, end, escaped) {
      const view = bytes.subarray(start, end)
      let count = 0
      // every backslash before `settled` belongs to an escape that is already resolved
      let settled: number = escaped
      for (let quote = view.indexOf(34, settled); quote !== -1; quote = view.indexOf(34, quote + 1)) {
        let before = quote
        while (before > settled && view[before - 1] === 92) before--
        settled = quote + 1
        if (((quote - before) & 1) === 0) positions[count++] = quote
      }
      let before = view.length
      while (before > settled && view[before - 1] === 92) before--
      return count * 2 + ((view.length - before) & 1)
    },
  }
}

/** The index that scans use. */
export const quoteIndex: QuoteIndex = vectorQuoteIndex() ?? plainQuoteIndex()
