/** From the start of a program to its first answers, and the memory it then has. */

import { NodePrimitives } from '../../host/gateway/crypto.js';
import { sleep } from '../lab/wait.js';
import type { Ground } from './ground.js';
import { base64, keysOf } from './keys.js';
import { residentBytes } from './process-tree.js';
import type { PeerText, Program } from './program.js';
import { endConfig, INNER } from './tunnel.js';

/** Seconds in which the first packet must come through. */
const PATIENCE = 4;

export interface StartUp {
  /** ms until the userspace API answers. */
  readonly socket: number;
  /** ms until the first packet has come back through the tunnel, configuration and handshake included. */
  readonly firstPacket: number;
}

export async function startUp(ground: Ground, program: Program): Promise<StartUp> {
  const right = await program.start(endConfig(ground, 'right'));
  const config = endConfig(ground, 'left');
  // The starting end must be the one that calls: with a keepalive it does so at once.
  const peers = config.peers.map((peer) => ({ ...peer, keepalive: 25 }));
  const pinging = ground.right.run(['ping', '-D', '-n', '-i', '0.01', '-w', `${PATIENCE}`, INNER.left]);
  await sleep(300);
  const began = Date.now();
  let socket = Number.NaN;
  const left = await program.start({ ...config, peers }, () => {
    socket = Date.now() - began;
  });
  const { stdout } = await pinging;
  await Promise.all([left.stop(), right.stop()]);
  const replies = [...stdout.matchAll(/^\[(\d+\.\d+)\].*time=/gm)].map((match) => Number(match[1]) * 1000);
  return { socket, firstPacket: replies.length > 0 ? replies[0] - began : Number.NaN };
}

/** Resident bytes with so many peers configured, half a second after the last one was. */
export async function memory(ground: Ground, program: Program, peers: readonly PeerText[]): Promise<number> {
  const end = await program.start({ ...endConfig(ground, 'left'), peers });
  await sleep(500);
  const bytes = residentBytes(end.pid);
  await end.stop();
  return bytes;
}

export function manyPeers(count: number): PeerText[] {
  const primitives = new NodePrimitives();
  return Array.from({ length: count }, (_, i) => ({
    publicKey: base64(keysOf(primitives, 1000 + i).publicKey),
    allowedIp: `10.${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}/32`,
  }));
}
