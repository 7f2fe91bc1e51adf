import { createHash } from 'node:crypto'
import { conformance } from 'headgate/testkit'
import auth from './index.ts'

const key = 'sk-hg-conformance-0123456789abcdef0123456789abcdef'
const known = { id: 'key_1', hash: createHash('sha256').update(key).digest('hex'), models: ['test-*'] }

// with a key that is known, each case goes the whole way
conformance(auth, { with: { keys: [known] }, send: { headers: { authorization: `Bearer ${key}` } } })
conformance(auth, { with: { store: 'records', anonymous: { by: 'user' }, end_user: true } })
