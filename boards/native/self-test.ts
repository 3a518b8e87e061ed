/**
 * One published vector for each primitive, tried at every start: a compiler that got the C wrong must not carry
 * anybody's packets. The full set is in test/crypto.
 */

import { equal } from '../../src/crypto/constant-time.js';
import { bytesFromHex } from '../../src/crypto/key-text.js';
import type { Primitives } from '../../src/crypto/primitives.js';

/** RFC 7748 section 6.1. */
const ALICE = '77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a';
const ALICE_PUBLIC = '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a';
const BOB_PUBLIC = 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f';
const SHARED = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742';

/** RFC 8439 appendix A.5, with the nonce 00000000 0102030405060708. */
const AEAD_KEY = '1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0';
const AEAD_COUNTER_LOW = 0x04030201;
const AEAD_COUNTER_HIGH = 0x08070605;
const AEAD_AD = 'f33388860000000000004e91';
const AEAD_TEXT =
  '496e7465726e65742d4472616674732061726520647261667420646f63756d656e74732076616c696420666f72206120' +
  '6d6178696d756d206f6620736978206d6f6e74687320616e64206d617920626520757064617465642c207265706c6163' +
  '65642c206f72206f62736f6c65746564206279206f7468657220646f63756d656e747320617420616e792074696d652e' +
  '20497420697320696e617070726f70726961746520746f2075736520496e7465726e65742d4472616674732061732072' +
  '65666572656e6365206d6174657269616c206f7220746f2063697465207468656d206f74686572207468616e20617320' +
  '2fe2809c776f726b20696e2070726f67726573732e2fe2809d';
const AEAD_TAG = 'eead9d67890cbb22392336fea1851f38';

/** draft-irtf-cfrg-xchacha-03 appendix A.3.1. */
const XAEAD_KEY = '808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f';
const XAEAD_NONCE = '404142434445464748494a4b4c4d4e4f5051525354555657';
const XAEAD_AD = '50515253c0c1c2c3c4c5c6c7';
const XAEAD_TEXT =
  '4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a20496620492063' +
  '6f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73' +
  '637265656e20776f756c642062652069742e';
const XAEAD_TAG = 'c0875924c1c7987947deafd8780acf49';

/** RFC 7693 appendix B: "abc". */
const HASH_INPUT = '616263';
const HASH = '508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982';
/** Made with CPython's hashlib and hmac; also in test/crypto/vectors/blake2s.json. */
const MAC_KEY = '1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100';
const MAC_OF_NOTHING = '1a3f5006ead52806fab4eba2a1f518b7';
const HMAC_OF_NOTHING = '3125c0b250e743302e8b59cb5e930c2fb2208afb54e806b5d0908c645dce8ed5';

/** Bytes compared of the generator's output; that two runs agree by chance has a likelihood of 2^-128. */
const RANDOM_BYTES = 16;

/** The names of the primitives that give wrong answers; empty when all is well. */
export function failedPrimitives(primitives: Primitives): readonly string[] {
  const failed: string[] = [];
  const expect = (name: string, right: boolean): void => {
    if (!right && !failed.includes(name)) failed.push(name);
  };

  const out = new Uint8Array(32);
  primitives.x25519PublicKey(out, hex(ALICE));
  expect('x25519', equal(out, hex(ALICE_PUBLIC)));
  expect('x25519', primitives.x25519(out, hex(ALICE), hex(BOB_PUBLIC)) && equal(out, hex(SHARED)));
  // RFC 7748 section 6.1: the point zero has low order.
  expect('x25519', !primitives.x25519(out, hex(ALICE), new Uint8Array(32)));

  const key = hex(AEAD_KEY);
  const ad = hex(AEAD_AD);
  const text = hex(AEAD_TEXT);
  const sealed = withTag(text);
  primitives.aeadSeal(key, AEAD_COUNTER_LOW, AEAD_COUNTER_HIGH, sealed, 0, text.length, ad);
  expect('aead', equal(sealed.subarray(text.length), hex(AEAD_TAG)));
  const forged = sealed.slice();
  forged[0] ^= 1;
  expect(
    'aead',
    !primitives.aeadOpen(key, AEAD_COUNTER_LOW, AEAD_COUNTER_HIGH, forged, 0, forged.length, ad),
  );
  expect('aead', primitives.aeadOpen(key, AEAD_COUNTER_LOW, AEAD_COUNTER_HIGH, sealed, 0, sealed.length, ad));
  expect('aead', equal(sealed.subarray(0, text.length), text));

  const xkey = hex(XAEAD_KEY);
  const xnonce = hex(XAEAD_NONCE);
  const xtext = hex(XAEAD_TEXT);
  const xsealed = withTag(xtext);
  primitives.xaeadSeal(xkey, xnonce, xsealed, 0, xtext.length, hex(XAEAD_AD));
  expect('xaead', equal(xsealed.subarray(xtext.length), hex(XAEAD_TAG)));
  expect('xaead', primitives.xaeadOpen(xkey, xnonce, xsealed, 0, xsealed.length, hex(XAEAD_AD)));
  expect('xaead', equal(xsealed.subarray(0, xtext.length), xtext));

  const nothing = new Uint8Array(0);
  primitives.hash(out, hex(HASH_INPUT));
  expect('hash', equal(out, hex(HASH)));
  const mac = new Uint8Array(16);
  primitives.mac(mac, hex(MAC_KEY), nothing);
  expect('mac', equal(mac, hex(MAC_OF_NOTHING)));
  primitives.hmac(out, hex(MAC_KEY), nothing);
  expect('hmac', equal(out, hex(HMAC_OF_NOTHING)));

  const first = new Uint8Array(RANDOM_BYTES);
  const second = new Uint8Array(RANDOM_BYTES);
  primitives.random(first);
  primitives.random(second);
  expect('random', !equal(first, second));
  return failed;
}

function hex(text: string): Uint8Array {
  return bytesFromHex(text, text.length / 2)!;
}

function withTag(text: Uint8Array): Uint8Array {
  const buffer = new Uint8Array(text.length + 16);
  buffer.set(text);
  return buffer;
}
