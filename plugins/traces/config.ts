/** What an operator may set for `traces`. */

import { Duration, Secret, Type } from 'headgate/plugin'

export const config = Type.Object({
  endpoint: Type.String({
    pattern: '^https?://[^\\s]+$',
    default: 'http://127.0.0.1:4318/v1/traces',
    description: 'Where spans are posted to: OTLP over HTTP, as JSON',
  }),
  headers: Type.Record(Type.String({ pattern: '^[A-Za-z0-9-]+$' }), Secret(), { default: {}, description: 'Headers of these requests' }),
  service: Type.String({ minLength: 1, default: 'headgate', description: 'service.name' }),
  sample: Type.Number({
    minimum: 0,
    maximum: 1,
    default: 1,
    description: 'Share of traces that begin here; a trace of the client says itself',
  }),
  every: Duration({ default: '2s', description: 'Time between two requests' }),
})
