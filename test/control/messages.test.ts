import { describe, expect, it } from 'vitest';
import { byteLength, readEnvelope, writeEnvelope } from '../../src/control/envelope.js';
import { LARGEST_MESSAGE_BYTES, MESSAGE_TYPES, SMALL_MESSAGE_BYTES } from '../../src/control/messages.js';
import type { Fields, RecordValue, Shape, Value } from '../../src/control/shape.js';
import { flag, mismatch, record } from '../../src/control/shape.js';
import { Seed } from '../wireguard/virtual/world.js';

/** A value that fits the shape, as small or as large as the shape allows. */
function sample(shape: Shape, large: boolean): Value {
  switch (shape.kind) {
    case 'text':
      return shape.oneOf?.[0] ?? (large ? 'x'.repeat(shape.most) : '');
    case 'number':
      return large ? shape.most : shape.least;
    case 'flag':
      return large;
    case 'list':
      return large ? [sample(shape.of, true)] : [];
    case 'record':
      return sampleRecord(shape.fields, large);
  }
}

function sampleRecord(fields: Fields, large: boolean): RecordValue {
  const record: RecordValue = {};
  for (const [name, field] of Object.entries(fields)) {
    if (large || !field.optional) record[name] = sample(field.shape, large);
  }
  return record;
}

const names = Object.keys(MESSAGE_TYPES);

describe('messages', () => {
  it('has every type that the seed document names', () => {
    const seed = names.filter((name) => MESSAGE_TYPES[name].seed).sort();
    expect(seed).toEqual(
      [
        ...['ack', 'heartbeat', 'ice-candidate', 'mesh-update', 'peer-join', 'peer-leave'],
        ...['ping', 'relay-rebalance', 'sdp-answer', 'sdp-offer'],
      ].sort(),
    );
    for (const name of names) expect(MESSAGE_TYPES[name].doc).not.toBe('');
  });

  it.each(names)('%s: the smallest and the largest that fit go through, in their direction only', (type) => {
    const { direction } = MESSAGE_TYPES[type];
    for (const large of [false, true]) {
      const data = sampleRecord(MESSAGE_TYPES[type].data, large);
      const text = writeEnvelope({ type, id: 'x', data, timestamp: 1 });
      expect(byteLength(text)).toBeLessThanOrEqual(SMALL_MESSAGE_BYTES);
      for (const from of ['up', 'down'] as const) {
        const read = readEnvelope(text, from);
        const allowed = direction === 'both' || direction === from;
        expect(read.ok).toBe(allowed);
        if (!read.ok) expect(read.refusal).toBe('wrong-direction');
        else expect(read.envelope.data).toEqual(data);
      }
    }
  });

  it.each(names)('%s: each field missing, of another kind or beyond its bound is refused', (type) => {
    const { data: fields, direction } = MESSAGE_TYPES[type];
    const from = direction === 'up' ? 'up' : 'down';
    const whole = sampleRecord(fields, true);
    for (const [name, { shape, optional }] of Object.entries(fields)) {
      const wrong: Value[] = [null as unknown as Value, { a: 1 } as Value, [[[]]]];
      if (shape.kind === 'text') wrong.push(1, 'x'.repeat(shape.most + 1));
      if (shape.kind === 'number') wrong.push('1', shape.least - 1, shape.most * 2 + 1);
      if (shape.kind === 'number' && shape.integer) wrong.push(shape.least + 0.5);
      if (shape.kind === 'flag') wrong.push(0, 'true');
      if (shape.kind === 'list') wrong.push(new Array(shape.most + 1).fill(sample(shape.of, false)));
      for (const value of wrong) {
        if (shape.kind === 'record' && !Array.isArray(value) && value !== null) continue;
        const read = readEnvelope(JSON.stringify({ type, data: { ...whole, [name]: value } }), from);
        expect(read.ok, `${name} = ${JSON.stringify(value)}`).toBe(false);
      }
      const { [name]: _, ...rest } = whole;
      expect(readEnvelope(JSON.stringify({ type, data: rest }), from).ok).toBe(optional === true);
    }
  });

  it('measures bytes, not characters, and refuses before it parses', () => {
    const euro = `{"type":"ping","data":{"x":"${'€'.repeat(1_400)}"}}`;
    expect(euro.length).toBeLessThan(SMALL_MESSAGE_BYTES);
    expect(readEnvelope(euro, 'down', SMALL_MESSAGE_BYTES)).toMatchObject({ refusal: 'too-large' });
    expect(readEnvelope('{'.repeat(LARGEST_MESSAGE_BYTES + 1), 'down')).toMatchObject({
      refusal: 'too-large',
    });
    expect(readEnvelope('['.repeat(LARGEST_MESSAGE_BYTES), 'down')).toMatchObject({ refusal: 'not-json' });
    expect(byteLength('aé€😀')).toBe(1 + 2 + 3 + 4);
  });

  it('treats names of the language as no names', () => {
    for (const type of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      const text = `{"type":"${type}","data":{}}`;
      expect(readEnvelope(text, 'down')).toMatchObject({ ok: false, refusal: 'unknown-type' });
      expect(() => writeEnvelope({ type, data: {} })).toThrow(RangeError);
    }
    const shape: Shape = record({ constructor: flag() } as Record<string, Shape>);
    expect(mismatch({}, shape)).toContain('missing');
  });

  it('never throws and never changes its mind about fifty thousand mutations', () => {
    const random = new Seed(20_261_122);
    const texts = names.flatMap((type) =>
      [false, true].map((large) =>
        JSON.stringify({ type, data: sampleRecord(MESSAGE_TYPES[type].data, large) }),
      ),
    );
    const alphabet = '{}[]":,.-+eE0123456789truefalsn\\u \u0000€x';
    for (let i = 0; i < 50_000; i++) {
      let text = texts[random.below(texts.length)];
      for (let edits = 1 + random.below(3); edits > 0; edits--) {
        const at = random.below(text.length + 1);
        const kind = random.below(3);
        const insert = kind === 0 ? '' : alphabet[random.below(alphabet.length)];
        text = text.slice(0, at) + insert + text.slice(at + (kind === 1 ? 0 : 1 + random.below(4)));
      }
      const read = readEnvelope(text, 'down');
      if (!read.ok) continue;
      // Whatever is let through fits its shape and can be written again.
      const again = writeEnvelope(read.envelope);
      expect(readEnvelope(again, 'down').ok).toBe(true);
    }
  });
});
