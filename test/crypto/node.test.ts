import { createSecretKey, type KeyObject } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NodePrimitives } from '../../host/gateway/crypto.js';
import { KeyObjectCache } from '../../host/gateway/key-object-cache.js';
import { toHex } from './hex.js';
import { x25519 } from './reference/x25519.js';
import { Seeded } from './seeded.js';

describe('the cache of imported keys', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const random = new Seeded(61);
  const bytesOf = (object: KeyObject) => toHex(object.export());

  it('imports a key once, and knows it by its bytes', () => {
    const importKey = vi.fn((key: Uint8Array) => createSecretKey(key));
    const cache = new KeyObjectCache(4, importKey);
    const key = random.bytes(32);
    const object = cache.get(key);
    expect(cache.get(Uint8Array.from(key))).toBe(object);
    expect(importKey).toHaveBeenCalledTimes(1);

    const before = toHex(key);
    key.fill(0); // erased by its owner, then reused
    expect(bytesOf(cache.get(key))).toBe('00'.repeat(32));
    expect(bytesOf(object)).toBe(before);
    expect(importKey).toHaveBeenCalledTimes(2);
  });

  it('holds no more than its slots', () => {
    const cache = new KeyObjectCache(4, createSecretKey);
    for (let i = 0; i < 100; i++) {
      const key = random.bytes(32);
      expect(bytesOf(cache.get(key))).toBe(toHex(key));
      expect(cache.size).toBe(Math.min(i + 1, 4));
    }
  });

  it('forgets every key within its retention, also one in constant use', () => {
    const importKey = vi.fn((key: Uint8Array) => createSecretKey(key));
    const cache = new KeyObjectCache(4, importKey);
    const busy = random.bytes(32);
    for (let i = 0; i < 30; i++) {
      cache.get(busy);
      vi.advanceTimersByTime(100);
    }
    expect(importKey).toHaveBeenCalledTimes(3);
    vi.advanceTimersByTime(KeyObjectCache.RETENTION_MS);
    expect(cache.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    cache.get(busy);
    expect(importKey).toHaveBeenCalledTimes(4);
  });

  it('forgets at once when told', () => {
    const cache = new KeyObjectCache(4, createSecretKey);
    cache.get(random.bytes(32));
    cache.clear();
    expect(cache.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("Node's primitives", () => {
  it('work on after their keys were forgotten', () => {
    const random = new Seeded(67);
    const primitives = new NodePrimitives();
    const [key, peer] = [random.bytes(32), random.bytes(32)];
    for (let i = 0; i < 3; i++) {
      const out = new Uint8Array(32);
      primitives.x25519(out, key, peer);
      expect(toHex(out)).toBe(toHex(x25519(key, peer)));
      primitives.forgetKeys();
    }
  });
});
