/**
 * A process that appends rows until it is killed, and prints the number of each row that was acknowledged. Only tests run it.
 *
 *     bun appender.fixture.ts <setting of records> <folder> [<name>]
 */

import { openRecords } from './open-records.ts'

const [where, folder, name = 'r'] = process.argv.slice(2)
const silent = { debug() {}, info() {}, warn() {}, error() {} }
const store = openRecords(where!, { folder: folder!, spoolLimit: 1024 ** 3, log: silent })
const records = store.scoped('kill')
await records.migrate([{ id: '1', statements: ['CREATE TABLE kill_row (id TEXT PRIMARY KEY, amount BIGINT NOT NULL)'] }])
store.start()
let count = 0
const worker = async () => {
  for (;;) {
    const n = ++count
    await records.append('kill_row', [{ id: `${name}${n}`, amount: 9007199254740993n }])
    process.stdout.write(`${n}\n`)
  }
}
await Promise.all(Array.from({ length: 16 }, worker))
