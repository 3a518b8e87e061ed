import { describe, expect, it } from 'vitest';
import { PortableDigests } from '../../src/crypto/portable-digests.js';
import { crc32 } from '../../src/ice/crc32.js';
import { LongTermCredentials, longTermKey } from '../../src/ice/long-term-credentials.js';
import { readStunAddress } from '../../src/ice/stun-address.js';
import {
  CLASS_REQUEST,
  CLASS_SUCCESS,
  ICE_CONTROLLED,
  METHOD_BINDING,
  NONCE,
  PRIORITY,
  REALM,
  SOFTWARE,
  USERHASH,
  USERNAME,
  XOR_MAPPED_ADDRESS,
} from '../../src/ice/stun-constants.js';
import { checkFingerprint, StunIntegrity } from '../../src/ice/stun-integrity.js';
import { StunView } from '../../src/ice/stun-view.js';
import { StunWriter } from '../../src/ice/stun-writer.js';
import { bytesOfText } from '../../src/ice/text-bytes.js';
import { formatEndpoint } from '../../src/packet/endpoint-text.js';

const digests = new PortableDigests();
const integrity = new StunIntegrity(digests);

/** RFC 5769 section 2: the password of the samples 2.1 to 2.3. */
const PASSWORD = bytesOfText('VOkJxbRl1RmTxUk/WvJxBt');
const REQUEST = bytes(
  '000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008' +
    '932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2' +
    '80280004e57a3bcf',
);
const RESPONSE4 = bytes(
  '0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643' +
    '000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96',
);
const RESPONSE6 = bytes(
  '010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9fa' +
    'a5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c',
);
const LONG_TERM = bytes(
  '000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b90000' +
    '0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341' +
    '0014000b6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666',
);
const MATRIX = '\u30de\u30c8\u30ea\u30c3\u30af\u30b9';

describe('the samples of RFC 5769', () => {
  it('reads the request of section 2.1', () => {
    const view = read(REQUEST);
    expect([view.class, view.method]).toEqual([CLASS_REQUEST, METHOD_BINDING]);
    expect(text(view, SOFTWARE)).toBe('STUN test client');
    expect(text(view, USERNAME)).toBe('evtj:h6vY');
    expect(view.findSized(PRIORITY, 4) && view.valueU32).toBe(0x6e0001ff);
    expect(view.findSized(ICE_CONTROLLED, 8)).toBe(true);
    expect(integrity.sha1(view, PASSWORD)).toBe('right');
    expect(checkFingerprint(view)).toBe('right');
  });

  it.each([
    ['2.2', RESPONSE4, '192.0.2.1:32853'],
    ['2.3', RESPONSE6, '[2001:db8:1234:5678:11:2233:4455:6677]:32853'],
  ])('reads and writes the response of section %s', (_section, sample, address) => {
    const view = read(sample);
    expect(view.class).toBe(CLASS_SUCCESS);
    expect(integrity.sha1(view, PASSWORD)).toBe('right');
    expect(checkFingerprint(view)).toBe('right');
    const record = new Uint8Array(24);
    expect(view.find(XOR_MAPPED_ADDRESS)).toBe(true);
    expect(readStunAddress(record, 0, view.bytes, view.value, view.valueLength, view.offset)).toBe(true);
    expect(formatEndpoint(record, 0)).toBe(address);

    const writer = new StunWriter(digests);
    writer.begin(CLASS_SUCCESS, METHOD_BINDING, sample, 8);
    writer.text(SOFTWARE, 'test vector');
    // The sample pads with a blank; padding may be anything, and the HMAC covers it.
    writer.bytes[writer.length - 1] = 0x20;
    writer.address(XOR_MAPPED_ADDRESS, record, 0);
    writer.integrity(PASSWORD);
    writer.fingerprint();
    expect(writer.bytes.slice(0, writer.length)).toEqual(sample);
  });

  it('reads and writes the long-term request of section 2.4', () => {
    const key = longTermKey(digests, 0, bytesOfText(MATRIX), bytesOfText('example.org'), 'TheMatrIX');
    expect(integrity.sha1(read(LONG_TERM), key)).toBe('right');
    expect(checkFingerprint(read(LONG_TERM))).toBe('absent');

    const challenge = new StunWriter(digests);
    challenge.begin(3, METHOD_BINDING, LONG_TERM, 8);
    challenge.text(NONCE, 'f//499k954d6OL34oL9FSTvy64sA');
    challenge.text(REALM, 'example.org');
    const credentials = new LongTermCredentials(digests, MATRIX, 'TheMatrIX');
    expect(credentials.challenge(read(challenge.bytes.slice(0, challenge.length)))).toBe('accepted');
    const writer = new StunWriter(digests);
    writer.begin(CLASS_REQUEST, METHOD_BINDING, LONG_TERM, 8);
    credentials.sign(writer);
    const ours = read(writer.bytes.slice(0, writer.length));
    // The sample has the nonce before the realm; the order is free.
    for (const type of [USERNAME, NONCE, REALM]) expect(text(ours, type)).toBe(text(read(LONG_TERM), type));
    expect(integrity.sha1(ours, key)).toBe('right');
  });
});

it('computes the user hash of RFC 8489 appendix B.1', () => {
  // That sample's own length field contradicts its attributes, so only this value of it can be used.
  const credentials = new LongTermCredentials(digests, MATRIX, 'TheMatrIX');
  const challenge = new StunWriter(digests);
  challenge.begin(3, METHOD_BINDING, LONG_TERM, 8);
  challenge.text(NONCE, 'obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA');
  challenge.text(REALM, 'example.org');
  expect(credentials.challenge(read(challenge.bytes.slice(0, challenge.length)))).toBe('accepted');
  const writer = new StunWriter(digests);
  writer.begin(CLASS_REQUEST, METHOD_BINDING, LONG_TERM, 8);
  credentials.sign(writer);
  const view = read(writer.bytes.slice(0, writer.length));
  expect(view.find(USERNAME)).toBe(false);
  expect(view.findSized(USERHASH, 32)).toBe(true);
  expect(view.copyValue()).toEqual(bytes('4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704'));
});

it('computes the check value of CRC-32', () => {
  const check = bytesOfText('123456789');
  expect(crc32(check, 0, check.length)).toBe(0xcbf43926);
});

function read(message: Uint8Array): StunView {
  const view = new StunView();
  // Not at the start of its memory: offsets count.
  const memory = new Uint8Array(message.length + 7);
  memory.set(message, 5);
  expect(view.at(memory, 5, message.length)).toBe(true);
  return view;
}

function text(view: StunView, type: number): string {
  expect(view.find(type)).toBe(true);
  return Buffer.from(view.copyValue()).toString('utf8');
}

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}
