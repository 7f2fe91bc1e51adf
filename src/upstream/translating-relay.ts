/** A live stream to a client that speaks another dialect than the upstream: all of it is written from events. */

import type { EventPass } from '../pipeline/events.ts'
import type { EventSource, LiveStream } from '../pipeline/reply-core.ts'
import type { DeliveryOptions } from './delivery.ts'
import { EncodingRelay } from './encoding-relay.ts'

export class TranslatingRelay extends EncodingRelay {
  constructor(o: DeliveryOptions, upstream: LiveStream, source: EventSource, pass: EventPass | undefined) {
    super(o, upstream, pass, source)
  }
}
