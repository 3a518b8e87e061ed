import { closeSync, existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openTun, TunOpenError } from '../../host/gateway/offload/tun-open.js';

const NEEDS_ROOT = 'opening a TUN interface needs root and /dev/net/tun';
const mayOpen = process.getuid?.() === 0 && existsSync('/dev/net/tun');

function codeOf(open: () => unknown): string {
  try {
    open();
  } catch (error) {
    if (error instanceof TunOpenError) return error.code;
    throw error;
  }
  return 'opened';
}

describe('opening TUN', () => {
  it('refuses a name that no interface can have, before anything is opened', () => {
    expect(codeOf(() => openTun({ name: 'a-name-too-long-0' }))).toBe('ENAMETOOLONG');
  });

  it('gives the name the kernel chose, and says that the offloads are on', (ctx) => {
    if (!mayOpen) return ctx.skip(NEEDS_ROOT);
    const tun = openTun({ name: 'krnt%d' });
    try {
      expect(tun.name).toMatch(/^krnt\d+$/);
      expect(tun.offload).toBe(true);
      expect(existsSync(`/sys/class/net/${tun.name}`)).toBe(true);
    } finally {
      closeSync(tun.fd);
    }
    expect(existsSync(`/sys/class/net/${tun.name}`)).toBe(false);
  });

  it('opens a plain interface when asked to', (ctx) => {
    if (!mayOpen) return ctx.skip(NEEDS_ROOT);
    const tun = openTun({ name: 'krnp%d', offload: false });
    expect(tun.offload).toBe(false);
    closeSync(tun.fd);
  });

  it('says EBUSY for an interface that another descriptor holds, and leaves no descriptor open', (ctx) => {
    if (!mayOpen) return ctx.skip(NEEDS_ROOT);
    const tun = openTun({ name: 'krnb%d' });
    try {
      expect(codeOf(() => openTun({ name: tun.name }))).toBe('EBUSY');
    } finally {
      closeSync(tun.fd);
    }
    expect(existsSync(`/sys/class/net/${tun.name}`)).toBe(false);
  });
});
