/** Handshakes a second as responder: of the core alone, and of a whole program over the wire. */

import type { Socket } from 'node:dgram';
import { NodePrimitives } from '../../host/gateway/crypto.js';
import type { Primitives } from '../../src/crypto/primitives.js';
import { ENDPOINT_BYTES, writeEndpoint } from '../../src/packet/endpoint.js';
import type { Store } from '../../src/ports.js';
import { Device } from '../../src/wireguard/device.js';
import { INITIATION_BYTES, RESPONSE_BYTES } from '../../src/wireguard/messages.js';
import { TimestampSource } from '../../src/wireguard/tai64n.js';
import type { Ground } from './ground.js';
import { base64, type Keys, keysOf } from './keys.js';
import type { PeerText, Program } from './program.js';
import { endConfig, OUTER } from './tunnel.js';

const PORT = 51821;
/** Messages under way at a time: below the 128 at which either program calls itself under load. */
const WINDOW = 32;
/** Numbers of the callers' keys. */
const FIRST_CALLER = 100_000;

const clock = { monotonic: () => performance.now(), wall: () => Date.now() };

function noStore(): Store {
  return { get: () => undefined, set: () => {}, delete: () => {} };
}

export interface Callers {
  readonly peers: readonly PeerText[];
  readonly publicKeys: readonly Uint8Array[];
  /** A first initiation of each caller: the responder warms up, and computes what it keeps of each peer. */
  readonly first: readonly Uint8Array[];
  /** A second one of each, for measuring. */
  readonly second: readonly Uint8Array[];
}

/** Initiations of so many different peers to one responder; made before anything is measured. */
export function makeCallers(count: number, responder: Uint8Array): Callers {
  const primitives = new NodePrimitives();
  const timestamps = new TimestampSource(clock, noStore());
  // Each caller's second initiation comes more than Rekey-Timeout after its first.
  let later = 0;
  const callersClock = { ...clock, monotonic: () => performance.now() + later };
  const endpoint = new Uint8Array(ENDPOINT_BYTES);
  writeEndpoint(endpoint, 0, new Uint8Array([10, 61, 0, 1]), PORT);
  const all: Keys[] = Array.from({ length: count }, (_, i) => keysOf(primitives, FIRST_CALLER + i));
  const first: Uint8Array[] = [];
  const second: Uint8Array[] = [];
  for (const { privateKey } of all) {
    const limits = { outbox: 1, handshakeQueue: 1, rateLimiterEntries: 8 };
    const device = new Device({ primitives, clock: callersClock, timestamps, limits });
    device.setPrivateKey(privateKey);
    const peer = device.addPeer(responder);
    peer.setEndpoint(endpoint, 0);
    for (const messages of [first, second]) {
      later += 10_000;
      peer.initiate(false);
      const { bytes, offset, length } = device.outbox;
      if (length[0] !== INITIATION_BYTES) throw new Error('no initiation was made');
      messages.push(bytes.slice(offset[0], offset[0] + INITIATION_BYTES));
      device.outbox.clear();
    }
  }
  return {
    first,
    second,
    publicKeys: all.map(({ publicKey }) => publicKey),
    peers: all.map(({ publicKey }, i) => ({
      publicKey: base64(publicKey),
      allowedIp: `10.${120 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}/32`,
    })),
  };
}

/** The core alone, in this process. */
export function coreHandshakes(callers: Callers, primitives: Primitives = new NodePrimitives()): number {
  const device = new Device({ primitives, clock, timestamps: new TimestampSource(clock, noStore()) });
  device.setPrivateKey(keysOf(new NodePrimitives(), 1).privateKey);
  for (const key of callers.publicKeys) device.addPeer(key);
  const endpoint = new Uint8Array(ENDPOINT_BYTES);
  writeEndpoint(endpoint, 0, new Uint8Array([10, 61, 0, 2]), PORT);
  const answer = (messages: readonly Uint8Array[]): void => {
    let responses = 0;
    for (const message of messages) {
      device.queueHandshake(message, 0, message.length, endpoint, 0);
      device.advance();
      responses += device.outbox.count;
      device.outbox.clear();
    }
    if (responses !== messages.length) throw new Error(`only ${responses} were answered`);
  };
  answer(callers.first);
  const began = performance.now();
  answer(callers.second);
  const seconds = (performance.now() - began) / 1000;
  device.close();
  return callers.second.length / seconds;
}

/** A whole program: initiations over UDP, the next as soon as one is answered. */
export async function wireHandshakes(ground: Ground, program: Program, callers: Callers): Promise<number> {
  const config = endConfig(ground, 'left');
  const end = await program.start({ ...config, listenPort: PORT, peers: callers.peers });
  const socket = await ground.right.udp({ address: OUTER.right });
  try {
    await exchange(socket, callers.first);
    return await exchange(socket, callers.second);
  } finally {
    socket.close();
    await end.stop();
  }
}

/** Sends everything, the next message as soon as one is answered; how many a second were. */
function exchange(socket: Socket, messages: readonly Uint8Array[]): Promise<number> {
  return new Promise((resolve, reject) => {
    let next = 0;
    let answered = 0;
    let seen = 0;
    const began = performance.now();
    const send = (): void => {
      if (next < messages.length) socket.send(messages[next++], PORT, OUTER.left);
    };
    const finish = (): void => {
      clearInterval(watch);
      socket.removeAllListeners('message');
      const seconds = (performance.now() - began) / 1000;
      if (answered < messages.length * 0.9) reject(new Error(`only ${answered} handshakes were answered`));
      else resolve(answered / seconds);
    };
    // A message lost on the way leaves a hole in the window: fill it, and end when nothing more comes.
    const watch = setInterval(() => {
      if (answered > seen) seen = answered;
      else if (next < messages.length && answered > 0) for (let i = 0; i < WINDOW; i++) send();
      else finish();
    }, 1_000);
    socket.on('message', (message) => {
      if (message.length !== RESPONSE_BYTES) return;
      answered++;
      if (answered === messages.length) finish();
      else send();
    });
    for (let i = 0; i < WINDOW; i++) send();
  });
}
