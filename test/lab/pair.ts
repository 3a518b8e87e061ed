import { keyPair } from '../wireguard/reference/identity.js';
import { Lab } from './lab.js';
import type { Namespace } from './namespace.js';
import { subject } from './subject.js';
import type { PeerConfig } from './tunnel-config.js';
import type { TunnelEnd } from './tunnel-end.js';
import { WireGuardGoEnd } from './wireguard-go-end.js';

/** Addresses of the usual lab: two namespaces on one cable. Inner ones are the tunnel's. */
export const OURS = { v4: '10.51.0.1', v6: 'fd51::1', inner4: '10.99.0.1', inner6: 'fd99::1', port: 51821 };
export const THEIRS = { v4: '10.51.0.2', v6: 'fd51::2', inner4: '10.99.0.2', inner6: 'fd99::2', port: 51822 };

export interface PairOptions {
  /** Family of the addresses that carry the tunnel; 4 unless told. */
  readonly outer?: 4 | 6;
  readonly mtu?: number;
  readonly outerMtu?: number;
  /** Added to what both ends know of each other. */
  readonly ourPeer?: Partial<PeerConfig>;
  readonly theirPeer?: Partial<PeerConfig>;
  /** The other end is a gateway of ours too. */
  readonly alike?: boolean;
  /** Which ends know where the other one is; both unless told. */
  readonly endpoints?: 'ours' | 'theirs' | 'both' | 'none';
}

/** The subject and a wireguard-go on one cable, configured for each other. */
export class Pair {
  readonly lab: Lab;
  readonly ours: TunnelEnd;
  readonly theirs: TunnelEnd;
  readonly ourSpace: Namespace;
  readonly theirSpace: Namespace;
  /** The veth interfaces' names. */
  readonly ourLink: string;
  readonly theirLink: string;

  constructor(options: PairOptions = {}) {
    this.lab = new Lab();
    this.ourSpace = this.lab.namespace('ours');
    this.theirSpace = this.lab.namespace('theirs');
    [this.ourLink, this.theirLink] = this.lab.link(
      { space: this.ourSpace, addresses: [`${OURS.v4}/24`, `${OURS.v6}/64`] },
      { space: this.theirSpace, addresses: [`${THEIRS.v4}/24`, `${THEIRS.v6}/64`] },
      options.outerMtu,
    );
    const endpoint = (end: typeof OURS) =>
      options.outer === 6 ? `[${end.v6}]:${end.port}` : `${end.v4}:${end.port}`;
    const endpoints = options.endpoints ?? 'both';
    const ourKeys = keyPair();
    const theirKeys = keyPair();
    this.ours = subject(this.lab, this.ourSpace, {
      keys: ourKeys,
      listenPort: OURS.port,
      addresses: [`${OURS.inner4}/24`, `${OURS.inner6}/64`],
      mtu: options.mtu,
      peers: [
        {
          publicKey: theirKeys.publicKey,
          allowedIps: [`${THEIRS.inner4}/32`, `${THEIRS.inner6}/128`],
          endpoint: endpoints === 'both' || endpoints === 'ours' ? endpoint(THEIRS) : undefined,
          ...options.ourPeer,
        },
      ],
    });
    const theirConfig = {
      keys: theirKeys,
      listenPort: THEIRS.port,
      addresses: [`${THEIRS.inner4}/24`, `${THEIRS.inner6}/64`],
      mtu: options.mtu,
      peers: [
        {
          publicKey: ourKeys.publicKey,
          allowedIps: [`${OURS.inner4}/32`, `${OURS.inner6}/128`],
          endpoint: endpoints === 'both' || endpoints === 'theirs' ? endpoint(OURS) : undefined,
          ...options.theirPeer,
        },
      ],
    };
    this.theirs = options.alike
      ? subject(this.lab, this.theirSpace, theirConfig)
      : new WireGuardGoEnd(this.lab, this.theirSpace, theirConfig);
  }

  static async start(options: PairOptions = {}): Promise<Pair> {
    const pair = new Pair(options);
    try {
      await Promise.all([pair.ours.start(), pair.theirs.start()]);
    } catch (error) {
      pair.lab.close();
      throw error;
    }
    return pair;
  }

  close(): void {
    this.lab.close();
  }
}

export interface PingOptions {
  readonly count?: number;
  /** Seconds between two requests. */
  readonly interval?: number;
  /** Bytes of payload. */
  readonly size?: number;
  /** Forbids fragments on the way. */
  readonly whole?: boolean;
  /** Seconds to wait for a reply. */
  readonly patience?: number;
}

/** Of one run of `ping`, the number of replies. */
async function pingOnce(space: Namespace, address: string, options: Required<PingOptions>): Promise<number> {
  const { count, interval, size, patience, whole } = options;
  const { stdout } = await space.run(
    [
      'ping',
      '-n',
      ...['-c', `${count}`, '-i', `${interval}`, '-s', `${size}`, '-W', `${patience}`],
      ...(whole ? ['-M', 'do'] : []),
      address,
    ],
    { limit: 600_000 },
  );
  return Number(/(\d+) received/.exec(stdout)?.[1] ?? 0);
}

/**
 * The number of replies. After its last request `ping` waits no longer than one interval or twice the slowest reply
 * so far, whatever its patience: where that may have been too short on a busy machine, a few slower requests decide.
 */
export async function ping(space: Namespace, address: string, options: PingOptions = {}): Promise<number> {
  const all = { count: 3, interval: 0.05, size: 56, patience: 2, whole: false, ...options };
  const replies = await pingOnce(space, address, all);
  if (replies === 0 || replies === all.count || all.interval * all.count > 5) return replies;
  return pingOnce(space, address, { ...all, interval: 0.5 });
}
