import { afterAll } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { conformance } from 'headgate/testkit'
import audit from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'headgate-audit-'))
afterAll(() => rmSync(folder, { recursive: true }))

conformance(audit, { folder, with: { file: 'audit.jsonl' } })
conformance(audit, { folder, with: { sink: 'records', in_flight: 'under-way', bodies: {}, receipt_header: 'x-receipt' } })
