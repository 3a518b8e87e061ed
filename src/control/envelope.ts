/**
 * The envelope of the seed document (section 5, "Message Protocol"): `type`, `from`, `to`, `data`, `timestamp`, and
 * an `id` of our own, by which an answer or a repetition is recognised. `from` is set by the server; what a gateway
 * writes there is ignored.
 */

import { LARGEST_MESSAGE_BYTES, MESSAGE_TYPES, type MessageType } from './messages.js';
import { mismatch, type RecordValue } from './shape.js';

export interface Envelope {
  readonly type: string;
  readonly id?: string;
  readonly from?: string;
  readonly to?: string;
  readonly data: RecordValue;
  /** ms since 1970 by the sender's clock. */
  readonly timestamp?: number;
}

export type Refusal =
  | 'too-large'
  | 'not-json'
  | 'not-an-envelope'
  | 'unknown-type'
  | 'wrong-direction'
  | 'bad-data';

export type Read =
  | { readonly ok: true; readonly envelope: Envelope; readonly type: MessageType }
  | { readonly ok: false; readonly refusal: Refusal; readonly detail: string };

const LONGEST_NAME = 64;

/** UTF-8 bytes of a text: XS counts code points, other engines UTF-16 units. */
export function byteLength(value: string): number {
  let bytes = 0;
  for (const character of value) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4;
  }
  return bytes;
}

/** Reads one message that came from the `from` end. Never throws. */
export function readEnvelope(source: string, from: 'up' | 'down', mostBytes = LARGEST_MESSAGE_BYTES): Read {
  // No character takes less than one byte, so the cheap test comes first.
  if (source.length > mostBytes || byteLength(source) > mostBytes)
    return refuse('too-large', `over ${mostBytes} bytes`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(source);
  } catch {
    return refuse('not-json', 'not JSON');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return refuse('not-an-envelope', 'not an object');
  }
  const members = parsed as Record<string, unknown>;
  const name = members.type;
  if (typeof name !== 'string' || name.length > LONGEST_NAME) return refuse('not-an-envelope', 'no type');
  for (const key of ['id', 'from', 'to']) {
    const value = members[key];
    if (value !== undefined && (typeof value !== 'string' || value.length > LONGEST_NAME)) {
      return refuse('not-an-envelope', `bad ${key}`);
    }
  }
  const { timestamp } = members;
  if (timestamp !== undefined && (typeof timestamp !== 'number' || !Number.isFinite(timestamp))) {
    return refuse('not-an-envelope', 'bad timestamp');
  }
  if (!Object.hasOwn(MESSAGE_TYPES, name)) return refuse('unknown-type', name);
  const type = MESSAGE_TYPES[name];
  if (type.direction !== 'both' && type.direction !== from) return refuse('wrong-direction', name);
  const data = members.data ?? {};
  const fault = mismatch(data, { kind: 'record', fields: type.data });
  if (fault !== undefined) return refuse('bad-data', `${name}: ${fault}`);
  return {
    ok: true,
    type,
    envelope: {
      type: name,
      id: members.id as string | undefined,
      from: members.from as string | undefined,
      to: members.to as string | undefined,
      data: data as RecordValue,
      timestamp,
    },
  };
}

/** Writes a message. Throws RangeError when it is of no known type, does not fit its shape, or is too large. */
export function writeEnvelope(envelope: Envelope, mostBytes = LARGEST_MESSAGE_BYTES): string {
  const type = Object.hasOwn(MESSAGE_TYPES, envelope.type) ? MESSAGE_TYPES[envelope.type] : undefined;
  if (!type) throw new RangeError(`no message type ${envelope.type}`);
  const fault = mismatch(envelope.data, { kind: 'record', fields: type.data });
  if (fault !== undefined) throw new RangeError(`${envelope.type}: ${fault}`);
  const written = JSON.stringify(envelope);
  if (byteLength(written) > mostBytes)
    throw new RangeError(`${envelope.type} is larger than ${mostBytes} bytes`);
  return written;
}

function refuse(refusal: Refusal, detail: string): Read {
  return { ok: false, refusal, detail };
}
