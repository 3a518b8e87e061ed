/** Two ends of one program, each other's peers: 10.62.0.1 on the left, 10.62.0.2 on the right. */

import { NodePrimitives } from '../../host/gateway/crypto.js';
import type { Ground } from './ground.js';
import { base64, keysOf } from './keys.js';
import type { End, EndConfig, PeerText, Program } from './program.js';

export const INNER = { left: '10.62.0.1', right: '10.62.0.2' };
export const OUTER = { left: '10.61.0.1', right: '10.61.0.2' };
const PORT = { left: 51821, right: 51822 };

type Side = 'left' | 'right';

export function endConfig(ground: Ground, side: Side): EndConfig {
  const primitives = new NodePrimitives();
  const keys = { left: keysOf(primitives, 1), right: keysOf(primitives, 2) };
  const other = side === 'left' ? 'right' : 'left';
  return {
    space: ground[side],
    name: ground.interfaceName(),
    privateKey: base64(keys[side].privateKey),
    listenPort: PORT[side],
    address: `${INNER[side]}/24`,
    directory: ground.directory,
    peers: [
      {
        publicKey: base64(keys[other].publicKey),
        allowedIp: `${INNER[other]}/32`,
        endpoint: `${OUTER[other]}:${PORT[other]}`,
      },
    ],
  };
}

export class Tunnel {
  readonly left: End;
  readonly right: End;
  readonly ground: Ground;

  private constructor(ground: Ground, left: End, right: End) {
    this.ground = ground;
    this.left = left;
    this.right = right;
  }

  /** `others` are peers that both ends have besides each other, and never hear of. */
  static async open(ground: Ground, program: Program, others: readonly PeerText[] = []): Promise<Tunnel> {
    const config = (side: Side): EndConfig => {
      const own = endConfig(ground, side);
      return { ...own, peers: [...others, ...own.peers] };
    };
    const left = await program.start(config('left'));
    let right: End | undefined;
    try {
      right = await program.start(config('right'));
      // The first packet makes the session; a handshake lost to a slow start is tried again after 5 s.
      await ground.left.get(['ping', '-q', '-n', '-c', '3', '-i', '0.2', '-w', '15', INNER.right]);
    } catch (error) {
      await left.stop();
      await right?.stop();
      throw error;
    }
    return new Tunnel(ground, left, right);
  }

  get ends(): readonly End[] {
    return [this.left, this.right];
  }

  async close(): Promise<void> {
    await Promise.all(this.ends.map((end) => end.stop()));
  }
}
