/** The OpenSSL inside Node beside the portable path, and the check at the start that decides on it. */

import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { loadLinux, NativeMissingError } from '../../host/gateway/native/linux.js';
import { loadOpenSsl, OPENSSL_LEAST, OpenSslAead } from '../../host/gateway/native/openssl.js';
import { checkNative, checkOpenSsl } from '../../host/gateway/native/self-check.js';
import { openLane } from '../../host/gateway/wasm/kernel.js';
import { PortablePrimitives } from '../../src/crypto/portable.js';
import { Seeded } from '../crypto/seeded.js';
import { makeKernel } from './built-kernel.js';

function whyNot(): string | undefined {
  try {
    createRequire(import.meta.url).resolve('koffi');
    loadLinux();
    loadOpenSsl();
    return undefined;
  } catch (error) {
    return error instanceof NativeMissingError ? error.message : 'needs the optional package koffi';
  }
}

const missing = whyNot();

describe.skipIf(missing !== undefined)(`the OpenSSL inside Node${missing ? `: ${missing}` : ''}`, () => {
  function made() {
    const linux = loadLinux();
    const kernel = makeKernel();
    const place = kernel.allocate(80_000);
    const base = linux.addressOf(kernel.memory.buffer);
    const openssl = new OpenSslAead(loadOpenSsl(), kernel.memory, base);
    openssl.scratch = place;
    return { linux, kernel, base, openssl, key: place + 64, data: place + 128 };
  }

  it('passes the checks of a start', () => {
    const { linux, kernel, base } = made();
    expect(() => checkNative(linux, kernel)).not.toThrow();
    expect(() => checkOpenSsl(kernel, base)).not.toThrow();
  });

  it('gives the bytes of the portable path at every length and counter', () => {
    const { kernel, openssl, key, data } = made();
    const portable = new PortablePrimitives((out) => void out.fill(0));
    for (let seed = 1; seed <= 150; seed++) {
      const random = new Seeded(seed);
      const length = random.pick([0, 16, 1024, 1420, random.below(2000), random.below(60_000)]);
      const secret = random.bytes(32);
      const content = random.bytes(length);
      const [low, high] = [random.below(2 ** 32), random.below(2 ** 32)];
      const expected = new Uint8Array(length + 16);
      expected.set(content);
      portable.aeadSeal(secret, low, high, expected, 0, length, new Uint8Array(0));
      kernel.all.set(secret, key);
      kernel.all.set(content, data);
      openssl.sealNative(key, low, high, data, length);
      expect(Buffer.compare(kernel.all.slice(data, data + length + 16), expected), `seed ${seed}`).toBe(0);
      expect(openssl.openNative(key, low, high, data, length)).toBe(1);
      expect(Buffer.compare(kernel.all.slice(data, data + length), content), `seed ${seed}`).toBe(0);
      kernel.all.set(expected, data);
      kernel.all[data + random.below(length + 16)]! ^= 1 << random.below(8);
      expect(openssl.openNative(key, low, high, data, length), `seed ${seed}`).toBe(0);
    }
    openssl.close();
  });

  it('seals long messages of a lane that uses it, with the same bytes, and leaves the short ones', () => {
    const { kernel, openssl, key } = made();
    let calls = 0;
    const counted = {
      sealNative: (...words: Parameters<typeof openssl.sealNative>) => {
        calls++;
        openssl.sealNative(...words);
      },
      openNative: openssl.openNative,
    };
    const lane = openLane(kernel.share, kernel.allocateLane(), counted);
    const plain = kernel.laneAt(kernel.allocateLane());
    const slot = kernel.takeSlot(new Seeded(1).bytes(32), new Seeded(2).bytes(32), 7);
    lane.call.useNative(OPENSSL_LEAST);
    for (const [i, length] of [40, OPENSSL_LEAST - 16, OPENSSL_LEAST, 1420].entries()) {
      const content = new Seeded(i).bytes(length);
      const sealed = [lane, plain].map(({ call, output }) => {
        kernel.all.set(content, output + 16);
        const bytes = call.sealAt(output, length, slot, i, 0, 1420);
        return Buffer.from(kernel.all.slice(output, output + bytes));
      });
      expect(Buffer.compare(sealed[0]!, sealed[1]!), `${length} bytes`).toBe(0);
    }
    expect(calls).toBe(2);
    expect(key).toBeGreaterThan(0);
  });
});
